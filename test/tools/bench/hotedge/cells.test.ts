import { expect, test } from 'vitest';
import { chosenCells } from '../../../../tools/bench/hotedge/cells.ts';

const named = (text?: string) => {
  const { equal, unequal } = chosenCells(text);
  return { equal: equal.map(({ link, cpu, repetitions }) => `${link} ${cpu} ${repetitions}`), unequal };
};

test('all cells, the slow links first', () => {
  const { equal, unequal } = named();
  expect(equal).toEqual([
    '500kbit 250m 3',
    '500kbit 125m 3',
    '5mbit 250m 10',
    '5mbit 125m 10',
    '200mbit 250m 30',
    '200mbit 125m 30',
  ]);
  expect(unequal).toEqual(['30mbit', '40mbit', '60mbit', '100mbit', '200mbit']);
});

test('those that are named, of both cases where neither is', () => {
  expect(named('equal,200mbit,125m')).toEqual({ equal: ['200mbit 125m 30'], unequal: [] });
  expect(named('200mbit,250m')).toEqual({ equal: ['200mbit 250m 30'], unequal: ['200mbit'] });
  expect(named('unequal,30mbit')).toEqual({ equal: [], unequal: ['30mbit'] });
  expect(() => chosenCells('300mbit')).toThrow('"300mbit" is no cell');
});
