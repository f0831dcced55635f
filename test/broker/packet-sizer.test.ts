import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PacketSizer } from '../../services/broker/packet-sizer.ts';
import { CONNECT, packet } from '../support/raw-client.ts';

const LIMIT = 300_000;

test('counts the packets of a stream, however it is cut into chunks', () => {
  const bodies = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 8 });
  const cuts = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(bodies, cuts, (sizes, chunks) => {
      const stream = Buffer.concat([
        CONNECT('x'),
        ...sizes.map((size) => packet(0x30, Buffer.alloc(size, 0xff))),
      ]);
      const sizer = new PacketSizer(LIMIT, LIMIT);
      for (let at = 0, i = 0; at < stream.length; i++) {
        const end = Math.min(stream.length, at + (chunks[i % chunks.length] as number));
        expect(sizer.feed(stream.subarray(at, end))).toBeUndefined();
        expect(sizer.inside || sizer.packets > 0).toBe(true);
        at = end;
      }
      expect(sizer.packets).toBe(sizes.length + 1);
      expect(sizer.inside).toBe(false);
    }),
  );
});

test.each([
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n'), 'not-mqtt'],
  ['a PUBLISH before CONNECT', packet(0x30, Buffer.alloc(10)), 'not-mqtt'],
  ['a huge CONNECT', packet(0x10, Buffer.alloc(70_000)).subarray(0, 4), 'message-too-large'],
  ['a length of five bytes', Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80, 1]), 'malformed-length'],
])('refuses %s', (_, bytes, reason) => {
  expect(new PacketSizer(LIMIT, 65_536).feed(bytes)).toBe(reason);
});

test('refuses a packet by its length alone, at the byte that exceeds the limit', () => {
  const sizer = new PacketSizer(LIMIT, LIMIT);
  expect(sizer.feed(CONNECT('x'))).toBeUndefined();
  const exact = packet(0x30, Buffer.alloc(LIMIT));
  expect(sizer.feed(exact)).toBeUndefined();
  expect(sizer.feed(packet(0x30, Buffer.alloc(LIMIT + 1)).subarray(0, 4))).toBe('message-too-large');
});
