import { expect, test } from 'vitest';
import { chosenCells, planKind } from '../../../../tools/bench/wire/cells.ts';

const named = (text?: string) => {
  const { cells, few, ...rest } = chosenCells(text);
  const names = (all: typeof cells) => all.map(({ wire, accuracy }) => `${wire.name} ${accuracy}`);
  return { ...rest, cells: names(cells), few: names(few) };
};

test('the whole table, the slow links first, with a hub that computes and carries everything', () => {
  const { cases, hub, route, cells } = named();
  expect([cases, hub, route]).toEqual([['table'], 'hub-computes', 'direct']);
  expect(cells).toHaveLength(12);
  expect(cells[0]).toBe('500kbit exact');
  expect(cells.at(-1)).toBe('200mbit budgeted');
});

test('a few of them for networks beside the main one', () => {
  const few = ['1mbit budgeted', '5mbit exact', '5mbit budgeted', '200mbit exact', '200mbit budgeted'];
  expect(named().few).toEqual(few);
  expect(named('air,exact').few).toEqual(['air exact']);
});

test('those that are named', () => {
  expect(named('swing').cases).toEqual(['swing']);
  expect(named('trace,200mbit,exact,hub-idle,direct')).toEqual({
    cases: ['trace'],
    hub: 'hub-idle',
    route: 'direct',
    cells: ['200mbit exact'],
    few: ['200mbit exact'],
  });
  expect(named('air,air-all,budgeted').cells).toEqual(['air-all budgeted', 'air budgeted']);
  expect(() => chosenCells('7mbit')).toThrow('"7mbit" is no cell');
});

test('kinds of plans', () => {
  expect(planKind(undefined)).toBeUndefined();
  expect(planKind('halo')).toBe('halo');
  expect(() => planKind('ring')).toThrow('"ring" is no kind of plan');
});
