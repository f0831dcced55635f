/** Sizes and rates, as every flag and file takes them. */

import { describe, expect, test } from 'vitest';
import { MBIT, parseRate, parseSize } from '../../../services/core/planning/units.ts';

describe('sizes', () => {
  test.each([
    ['64MB', 64e6],
    ['64MiB', 64 * 2 ** 20],
    [' 1.5 GiB ', 1.5 * 2 ** 30],
    ['512kb', 512e3],
    ['4096B', 4096],
    ['1GB', 1e9],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', '64', 'MB', '0MB', '1e9MB', '-4MB', '0.1B', '64mbit', '0x10MB', `${'9'.repeat(400)}GB`])(
    '"%s" is none',
    (text) => {
      expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'usage' }));
      expect(() => parseSize(text, 'config-invalid')).toThrow(
        expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining('is no size') }),
      );
    },
  );
});

describe('rates', () => {
  test.each([
    ['100mbit', 100 * MBIT],
    ['500kbit', MBIT / 2],
    ['1gbit/s', 1000 * MBIT],
    ['0.5Gbit/s', 500 * MBIT],
    ['8000bit', 1],
  ])('%s', (text, bytesPerMs) => {
    expect(parseRate(text)).toBe(bytesPerMs);
  });

  test.each(['', '200', 'mbit', '0mbit', '-1mbit', '100MB', '100mbit/h', 'fast'])('"%s" is none', (text) => {
    expect(() => parseRate(text)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining('is no speed of a link') }),
    );
  });
});
