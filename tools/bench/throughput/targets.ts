/** What the streams must show: against one device with the whole model in ample memory, and against the simulator. */

import { atLeast, atMost, type Target } from '../report.ts';

/** Whether devices have all the memory they want, or an empty worker's, half of the model's weights and its activations. */
export type Memory = 'ample' | 'limited';

export interface StreamResult {
  readonly network: string;
  readonly devices: number;
  readonly memory: Memory;
  readonly framesPerSecond: number;
  /** Of one bare device, in the same run. */
  readonly aloneFramesPerSecond: number;
  readonly simulatedFramesPerSecond: number;
}

const DEVICES = 8;
const LEAST = { ample: 7, limited: 5 } as const;
const MOST_ERROR = 15;

export function speedUp({ framesPerSecond, aloneFramesPerSecond }: StreamResult): number {
  return framesPerSecond / aloneFramesPerSecond;
}

/** Percent by which the simulation is above what was measured. */
export function errorPercent({ framesPerSecond, simulatedFramesPerSecond }: StreamResult): number {
  return 100 * (simulatedFramesPerSecond / framesPerSecond - 1);
}

/** A cell without a figure: no plan fits, or its workers hold more than they may, or were killed for it. */
export interface FailedStream {
  readonly network: string;
  readonly devices: number;
  readonly memory: Memory;
  readonly reason: string;
}

export function throughputTargets(
  results: readonly StreamResult[],
  failed: readonly FailedStream[] = [],
): Target[] {
  const measured = results.flatMap((result) => {
    const { network, devices, memory } = result;
    const cell = `${network}, ${devices} devices, ${memory}`;
    const simulated = atMost(`${cell}: simulation off by, %`, MOST_ERROR, Math.abs(errorPercent(result)));
    if (devices !== DEVICES) return [simulated];
    return [atLeast(`${cell}: x one device`, LEAST[memory], speedUp(result)), simulated];
  });
  const missed = failed
    .filter(({ devices }) => devices === DEVICES)
    .map(({ network, devices, memory }) =>
      atLeast(`${network}, ${devices} devices, ${memory}: x one device`, LEAST[memory], 0),
    );
  return [...measured, ...missed];
}
