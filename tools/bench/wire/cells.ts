/** The conditions of the comparison: links, what a plan may lose, and which of them are asked for. */

import { TilepipeError } from '../../../services/core/runtime/errors.ts';
import { chosenValues } from '../emulated/cell-names.ts';

/** What carries the tensors. */
export interface Wire {
  readonly name: WireName;
  /** Of every device's own cable and the hub's, or of the medium all share. */
  readonly mbit: number;
  /** Who is on one half-duplex medium; absent: everybody has a cable. */
  readonly shared?: 'devices' | 'everyone';
}

/** Whether a plan may change values: `exact` ones compare with the float model, the others with its int8 form too. */
export type Accuracy = 'exact' | 'budgeted';

export interface Cell {
  readonly wire: Wire;
  readonly accuracy: Accuracy;
}

export type Case = 'table' | 'swing' | 'trace';

/** Whether the hub is a device among the others. */
export type HubRole = 'hub-computes' | 'hub-idle';

/** How strips go to a neighbour: where that pays to a broker that it embeds, or always through the broker of the hub. */
export type Route = 'by-hub' | 'direct';

export interface ChosenCells {
  readonly cases: readonly Case[];
  readonly hub: HubRole;
  readonly route: Route;
  readonly cells: readonly Cell[];
  /** Of a network beside the main one. */
  readonly few: readonly Cell[];
}

export const CPU = '250m';

/** The slowest first: a dispatcher that has learnt a fast link asks again too soon on a slow one. */
export const WIRES = [
  { name: '500kbit', mbit: 0.5 },
  { name: '1mbit', mbit: 1 },
  { name: 'air-all', mbit: 5, shared: 'everyone' },
  { name: 'air', mbit: 5, shared: 'devices' },
  { name: '5mbit', mbit: 5 },
  { name: '200mbit', mbit: 200 },
] as const satisfies readonly (Omit<Wire, 'name'> & { readonly name: string })[];

/** Of a network beside the main one, where no conditions are named. */
const FEW: readonly string[] = [
  '1mbit, budgeted',
  '5mbit, exact',
  '5mbit, budgeted',
  '200mbit, exact',
  '200mbit, budgeted',
];

export type WireName = (typeof WIRES)[number]['name'];

export const WIRE_CELLS = {
  case: ['table', 'swing', 'trace'],
  wire: WIRES.map(({ name }) => name),
  accuracy: ['exact', 'budgeted'],
  hub: ['hub-computes', 'hub-idle'],
  route: ['direct', 'by-hub'],
} as const;

/**
 * `table,5mbit,exact`: of each kind of condition those that are named; of a kind that is not named all, of cases the
 * table. Unless told, the hub may compute and strips may go from device to device.
 */
export function chosenCells(text: string | undefined): ChosenCells {
  const { case: cases, wire, accuracy, hub, route } = chosenValues(text, WIRE_CELLS);
  const cells = WIRES.filter(({ name }) => wire.includes(name)).flatMap((each) =>
    accuracy.map((own): Cell => ({ wire: each, accuracy: own })),
  );
  const all = cells.length === WIRE_CELLS.wire.length * WIRE_CELLS.accuracy.length;
  return {
    cases: cases.length === WIRE_CELLS.case.length ? ['table'] : cases,
    cells,
    few: all ? cells.filter((cell) => FEW.includes(cellName(cell))) : cells,
    hub: hub[0] ?? 'hub-computes',
    route: route[0] ?? 'direct',
  };
}

/** Which plans are considered: all, or those of one kind. */
export const PLAN_KINDS = ['halo', 'merge'] as const;
export type PlanKind = (typeof PLAN_KINDS)[number];

/** Throws `usage`. */
export function planKind(text: string | undefined): PlanKind | undefined {
  const found = PLAN_KINDS.find((kind) => kind === text);
  if (text !== undefined && found === undefined)
    throw new TilepipeError('usage', `"${text}" is no kind of plan; there are ${PLAN_KINDS.join(', ')}`);
  return found;
}

export function cellName({ wire, accuracy }: Cell): string {
  return `${wire.name}, ${accuracy}`;
}
