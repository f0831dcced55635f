import { expect, test } from 'vitest';
import { chosenValues } from '../../../../tools/bench/emulated/cell-names.ts';

const KINDS = { network: ['small', 'large'], devices: ['1', '2', '8'] } as const;

test('what is named is chosen, in the order of the list, and of a kind that is not named all', () => {
  expect(chosenValues('8, 1', KINDS)).toEqual({ network: ['small', 'large'], devices: ['1', '8'] });
  expect(chosenValues('large,2', KINDS)).toEqual({ network: ['large'], devices: ['2'] });
  expect(chosenValues(undefined, KINDS)).toEqual(KINDS);
});

test('a name of no kind is refused with those that there are', () => {
  expect(() => chosenValues('3', KINDS)).toThrowError(/"3" is no cell; there are small, large, 1, 2, 8/);
});
