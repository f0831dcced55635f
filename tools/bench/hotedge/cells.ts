/** The conditions of the comparison: links and processors, and which of them are asked for. */

import { TilepipeError } from '../../../services/core/runtime/errors.ts';

export interface Cell {
  readonly link: string;
  readonly cpu: string;
  /** Runs of each plan at the least. */
  readonly repetitions: number;
}

/** The slowest first: a dispatcher that has learnt a fast link asks again too soon on a slow one. */
const LINKS: readonly (readonly [link: string, repetitions: number])[] = [
  ['500kbit', 3],
  ['5mbit', 10],
  ['200mbit', 30],
];
const PROCESSORS = ['250m', '125m'] as const;

/** `200mbit,250m`: cells on one of the links and processors that are named; of a kind that is not named, all. */
export function chosenCells(text: string | undefined): Cell[] {
  const named = text?.split(',').map((name) => name.trim()) ?? [];
  const links = LINKS.filter(([link]) => named.includes(link));
  const processors = PROCESSORS.filter((cpu) => named.includes(cpu));
  const known = [...LINKS.map(([link]) => link), ...PROCESSORS];
  const unknown = named.find((name) => !known.some((each) => each === name));
  if (unknown !== undefined)
    throw new TilepipeError('usage', `"${unknown}" is no cell; there are ${known.join(', ')}`);
  return (links.length === 0 ? LINKS : links).flatMap(([link, repetitions]) =>
    (processors.length === 0 ? PROCESSORS : processors).map((cpu) => ({ link, cpu, repetitions })),
  );
}
