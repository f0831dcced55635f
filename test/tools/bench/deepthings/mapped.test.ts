import { expect, test } from 'vitest';
import { countedAgain, mappedAgain } from '../../../../tools/bench/deepthings/mapped.ts';

const mapping = (range: string, offset: string, inode: number, path: string, kilobytes: number): string =>
  [
    `${range} r--p ${offset} 08:01 ${inode}                     ${path}`,
    'Size:              13672 kB',
    `Rss:                ${kilobytes} kB`,
    'Pss:                 100 kB',
    'VmFlags: rd mr mw me sd ',
  ].join('\n');

test('a file that is mapped again counts once, the largest of its mappings', () => {
  const smaps = [
    mapping('7f0000000000-7f0000d00000', '00000000', 42, '/cache/optimised/weights-a', 1000),
    mapping('7f0001000000-7f0001d00000', '00000000', 42, '/cache/optimised/weights-a', 1300),
    mapping('7f0002000000-7f0002d00000', '00000000', 43, '/cache/optimised/weights-b', 500),
    mapping('7f0003000000-7f0003d00000', '00001000', 43, '/cache/optimised/weights-b', 70),
  ].join('\n');
  expect(countedAgain(smaps)).toBe(1000 * 1024);
});

test('neither memory without a file nor libraries are counted again', () => {
  const smaps = [
    mapping('7f0000000000-7f0000d00000', '00000000', 0, '', 1000),
    mapping('7f0001000000-7f0001d00000', '00000000', 0, '[heap]', 1000),
    mapping('7f0002000000-7f0002d00000', '00000000', 7, '/usr/lib/libc.so.6', 30),
    mapping('7f0003000000-7f0003d00000', '00000000', 7, '/usr/lib/libc.so.6', 30),
  ].join('\n');
  expect(countedAgain(smaps)).toBe(0);
});

test('a process that has ended says nothing', () => {
  expect(mappedAgain([2 ** 30])).toBe(0);
});
