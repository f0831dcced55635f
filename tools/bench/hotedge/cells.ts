/** The conditions of the comparison: links and processors, and which of them are asked for. */

import { chosenValues } from '../emulated/cell-names.ts';

/** Equal devices on one link. */
export interface Cell {
  readonly link: string;
  readonly cpu: string;
  /** Runs of each plan at the least. */
  readonly repetitions: number;
}

export interface ChosenCells {
  readonly equal: readonly Cell[];
  /** Links of the case in which one device becomes slow. */
  readonly unequal: readonly string[];
}

/** The slowest first: a dispatcher that has learnt a fast link asks again too soon on a slow one. */
const EQUAL_LINKS: Readonly<Record<string, number>> = { '500kbit': 3, '5mbit': 10, '200mbit': 30 };
const UNEQUAL_LINKS: readonly string[] = ['30mbit', '40mbit', '60mbit', '100mbit', '200mbit'];
/**
 * Frames of the papers' plans take up to a minute there, and hardly anything is computed meanwhile: they run beside the
 * other cells, on devices of their own for each share of a processor: what takes longest is not waited for twice.
 */
const BESIDE: ReadonlySet<string> = new Set(['500kbit', '5mbit']);

export function runsBeside({ link }: Cell): boolean {
  return BESIDE.has(link);
}

/** Share of a processor of every device while one of them becomes slow. */
export const UNEQUAL_CPU = '250m';

export const HOTEDGE_CELLS = {
  case: ['equal', 'unequal'],
  link: [...new Set([...Object.keys(EQUAL_LINKS), ...UNEQUAL_LINKS])],
  cpu: ['250m', '125m'],
} as const;

/** `equal,200mbit,250m`: of each kind of condition those that are named; of a kind that is not named, all. */
export function chosenCells(text: string | undefined): ChosenCells {
  const chosen = chosenValues(text, HOTEDGE_CELLS);
  const equal = Object.entries(EQUAL_LINKS).flatMap(([link, repetitions]) =>
    chosen.cpu.map((cpu) => ({ link, cpu, repetitions })),
  );
  const unequal = chosen.cpu.includes(UNEQUAL_CPU) ? UNEQUAL_LINKS : [];
  return {
    equal: chosen.case.includes('equal') ? equal.filter(({ link }) => chosen.link.includes(link)) : [],
    unequal: chosen.case.includes('unequal') ? unequal.filter((link) => chosen.link.includes(link)) : [],
  };
}
