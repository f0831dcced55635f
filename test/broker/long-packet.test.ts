import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { LongPacket } from '../../services/broker/long-packet.ts';

test('comes back in order, however it came', () => {
  const bytes = randomBytes(200_000);
  const packet = new LongPacket();
  // Byte by byte, then much at once, then in pieces that end blocks anywhere.
  const sizes = [...Array<number>(20_000).fill(1), 60_000, ...Array<number>(24).fill(5_000)];
  let at = 0;
  for (const size of sizes) {
    packet.add(bytes.subarray(at, at + size));
    at += size;
  }
  expect(at).toBe(bytes.length);
  expect(packet.whole().equals(bytes)).toBe(true);
});

test('keeps nothing of the memory of small chunks', () => {
  const [small, large] = [Buffer.alloc(100, 1), Buffer.alloc(20_000, 1)];
  const packet = new LongPacket();
  for (const chunk of [small, large, small]) packet.add(chunk);
  small.fill(2);
  large.fill(3);
  expect(new Set(packet.whole())).toEqual(new Set([1, 3]));
});
