/**
 * `npm run bench -- search`: what the planner's answers rest on, without emulation: how far a profile of this machine
 * is off on tasks it was not fitted to, and how long the search and the simulator take.
 */

import { print, table } from '../../output.ts';
import { chosenValues } from '../emulated/cell-names.ts';
import { type BenchNetwork, benchNetwork, openNetwork } from '../emulated/network.ts';
import { PREDICTED_NETWORKS } from '../prediction/networks.ts';
import { errorText } from '../prediction/targets.ts';
import { atMost, type BenchReport, rounded, type Target } from '../report.ts';
import { type HeldOut, heldOut, medianError } from './held-out.ts';
import { timesHere } from './times.ts';

export interface SearchFlags {
  /** `profile` or `times`; absent: both. */
  readonly cells?: string | undefined;
  /** Searches of each graph; absent: five. */
  readonly repetitions?: number | undefined;
}

export const SEARCH_CELLS = { part: ['profile', 'times'] } as const;
const REPETITIONS = 5;
const MOST_ERROR = 15;
const MOST_VGG16_MS = 300;
const MOST_LARGE_MS = 2000;

interface Part {
  readonly cells: BenchReport['cells'];
  readonly targets: readonly Target[];
}

export async function benchSearch(flags: SearchFlags): Promise<BenchReport> {
  const { part } = chosenValues(flags.cells, SEARCH_CELLS);
  const parts: Part[] = [];
  // First, before the process has a large heap to collect.
  if (part.includes('times')) parts.push(await timesPart(flags.repetitions ?? REPETITIONS));
  if (part.includes('profile')) parts.push(await profilePart());
  return {
    bench: 'search',
    cells: parts.flatMap(({ cells }) => cells),
    targets: parts.flatMap(({ targets }) => targets),
  };
}

async function timesPart(repetitions: number): Promise<Part> {
  const { vgg16, large, simulator } = await timesHere(await benchNetwork('vgg16'), repetitions);
  return {
    cells: [vgg16, large, ...simulator].map(({ what, ms, processorMs, firstMs, n }) => ({
      what,
      ms: rounded(ms),
      processorMs: rounded(processorMs),
      firstMs: rounded(firstMs),
      n,
    })),
    targets: [
      atMost(`${vgg16.what}, ms`, MOST_VGG16_MS, vgg16.ms),
      atMost(`${large.what}, ms`, MOST_LARGE_MS, large.ms),
    ],
  };
}

async function profilePart(): Promise<Part> {
  const networks: BenchNetwork[] = [];
  for (const network of PREDICTED_NETWORKS) networks.push(await openNetwork(network));
  const results = await heldOut(networks);
  print(
    table(
      ['tasks of', 'own profile', 'profile of', 'error'],
      results.map(({ network, own, foreign, foreignNetwork }) => [
        network,
        errorText(own),
        foreignNetwork,
        errorText(foreign),
      ]),
    ),
  );
  return { cells: results.map(cellOf), targets: results.map(targetOf) };
}

function cellOf({ network, own, foreign, foreignNetwork }: HeldOut): BenchReport['cells'][number] {
  return {
    what: `held-out tasks of ${network}`,
    n: own.length,
    medianErrorPercent: rounded(medianError(own)),
    foreignProfile: foreignNetwork,
    foreignErrorPercent: rounded(medianError(foreign)),
  };
}

function targetOf({ network, own }: HeldOut): Target {
  return atMost(`${network}: held-out tasks, median error, %`, MOST_ERROR, medianError(own));
}
