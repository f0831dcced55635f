import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PacketFramer } from '../../services/broker/packet-framer.ts';
import { CONNECT, packet } from '../support/raw-client.ts';

const LIMIT = 300_000;
const TOPIC = Buffer.from([0, 3, 0x61, 0x2f, 0x62]);
const nobody = (): void => {};

function framer(maxBytes = LIMIT, maxConnectBytes = maxBytes): PacketFramer {
  return new PacketFramer({ maxBytes, maxConnectBytes, memory: (bytes) => Buffer.allocUnsafeSlow(bytes) });
}

/** A PUBLISH with a message identifier where `qos` is 1. */
function publish(qos: 0 | 1, payload: Buffer): Buffer {
  const identifier = qos === 0 ? [] : [Buffer.from([0, 7])];
  return packet(0x30 | (qos << 1), Buffer.concat([TOPIC, ...identifier, payload]));
}

/** What comes out of a stream that is cut at these lengths, again and again. */
function fed(into: PacketFramer, stream: Buffer, chunks: readonly number[]): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const end = Math.min(stream.length, at + (chunks[i % chunks.length] as number));
    const refusal = into.feed(Buffer.from(stream.subarray(at, end)), (whole) => out.push(whole));
    if (refusal !== undefined) throw new Error(refusal);
    at = end;
  }
  return out;
}

/** Where each of these ends when they stand one after the other. */
function endsOf(buffers: readonly Buffer[]): number[] {
  let at = 0;
  return buffers.map(({ length }) => {
    at += length;
    return at;
  });
}

test('gives back the packets of a stream, however it is cut into chunks', () => {
  const size = fc.oneof(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 20_000 }));
  const sizes = fc.array(fc.record({ size, plain: fc.boolean(), qos: fc.constantFrom(0, 1) }), {
    maxLength: 8,
  });
  const cut = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 30_000 }));
  fc.assert(
    fc.property(sizes, fc.array(cut, { minLength: 1, maxLength: 20 }), (given, chunks) => {
      const packets = [
        CONNECT('x'),
        // Without a topic a PUBLISH is malformed, which is the parser's to say.
        ...given.map(({ size, plain, qos }) => {
          const bytes = Buffer.alloc(size, size % 251);
          return plain ? packet(0x30, bytes) : publish(qos as 0 | 1, bytes);
        }),
      ];
      const one = framer();
      const out = fed(one, Buffer.concat(packets), chunks);
      expect(Buffer.concat(out).equals(Buffer.concat(packets))).toBe(true);
      // Every piece ends where a packet does.
      const ends = new Set(endsOf(packets));
      expect(endsOf(out).every((end) => ends.has(end))).toBe(true);
      expect(one.packets).toBe(packets.length);
      expect(one.inside).toBe(false);
    }),
  );
});

test.each([0, 1] as const)('a payload of QoS %i that comes in chunks begins at a multiple of 8', (qos) => {
  const payload = Buffer.alloc(5000, 9);
  const [, whole] = fed(framer(), Buffer.concat([CONNECT('x'), publish(qos, payload)]), [1024]);
  expect(((whole as Buffer).byteOffset + (whole as Buffer).length - payload.length) % 8).toBe(0);
});

test('no memory is made for a packet of many megabytes before it is there', () => {
  const made: number[] = [];
  const one = new PacketFramer({
    maxBytes: 100e6,
    maxConnectBytes: LIMIT,
    memory: (bytes) => {
      made.push(bytes);
      return Buffer.alloc(bytes);
    },
  });
  const large = publish(0, Buffer.alloc(5e6, 3));
  const out = fed(one, Buffer.concat([CONNECT('x'), large]), [65_536]);
  expect(made).toEqual([]);
  expect(large.equals(out[1] as Buffer)).toBe(true);
});

test.each([
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n'), 'not-mqtt'],
  ['a PUBLISH before CONNECT', packet(0x30, Buffer.alloc(10)), 'not-mqtt'],
  ['a huge CONNECT', packet(0x10, Buffer.alloc(70_000)).subarray(0, 4), 'message-too-large'],
  ['a length of five bytes', Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80, 1]), 'malformed-length'],
])('refuses %s', (_, bytes, reason) => {
  expect(framer(LIMIT, 65_536).feed(bytes, nobody)).toBe(reason);
});

test('refuses a packet by its length alone, at the byte that exceeds the limit', () => {
  const one = framer();
  expect(one.feed(CONNECT('x'), nobody)).toBeUndefined();
  expect(one.feed(packet(0x30, Buffer.alloc(LIMIT)), nobody)).toBeUndefined();
  expect(one.feed(packet(0x30, Buffer.alloc(LIMIT + 1)).subarray(0, 4), nobody)).toBe('message-too-large');
});
