import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copyWithCrc32, crc32 } from '../../../services/core/wire/crc32.ts';

/** Bytes without pattern, from a seed. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x297a2d39;
    bytes[i] = state >>> 13;
  }
  return bytes;
}

describe('crc32', () => {
  test('is the CRC of the catalogue', () => {
    expect(crc32(Buffer.from('123456789'))).toBe(0xcbf43926);
  });

  test("equals zlib's for any length, start and content, and copies what it reads", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 120_000 }), fc.nat(20), fc.nat(), (length, shift, seed) => {
        const bytes = noise(length + shift, seed).subarray(shift);
        const target = Buffer.alloc(length + 4, 0xee);
        expect(crc32(bytes)).toBe(zlibCrc32(bytes));
        expect(copyWithCrc32(bytes, target)).toBe(zlibCrc32(bytes));
        expect(target.subarray(0, length).equals(bytes)).toBe(true);
        expect([...target.subarray(length)]).toEqual([0xee, 0xee, 0xee, 0xee]);
      }),
      { numRuns: 120 },
    );
  });

  test.each([16_383, 16_384, 28_672 + 4800, 28_672 + 4801, 2 * 28_672 + 4800, 900_000])(
    'at the edges: %d bytes',
    (length) => {
      const bytes = noise(length, length);
      expect(crc32(bytes)).toBe(zlibCrc32(bytes));
    },
  );

  test('sees every single flipped bit of a long payload', () => {
    const bytes = noise(50_000, 5);
    const right = crc32(bytes);
    for (let i = 0; i < bytes.length; i += 97) {
      bytes.writeUInt8(bytes.readUInt8(i) ^ (1 << (i % 8)), i);
      expect(crc32(bytes)).not.toBe(right);
      bytes.writeUInt8(bytes.readUInt8(i) ^ (1 << (i % 8)), i);
    }
  });
});
