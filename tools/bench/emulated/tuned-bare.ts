/** The bare reference at its best: one device alone, with the threads and the form of the weights that suit the model. */

import { median } from '../../../services/core/runtime/quantile.ts';
import type { EmulatedCluster } from '../../emulate/cluster.ts';
import { print } from '../../output.ts';
import type { BareTask } from '../bare-process.ts';

/** An emulated device that runs a model bare. */
export interface BareDevice {
  readonly cluster: Pick<EmulatedCluster, 'limit' | 'unlimit'>;
  /** From now on bare runs are of this task. */
  load(task: BareTask): Promise<void>;
  /** Milliseconds of one run. */
  bare(): Promise<number>;
}

type Tuning = Required<Pick<BareTask, 'threads' | 'unpacked'>>;

/** A quota is the same for any number of threads; two may still wait less for each other's pauses. */
const TUNINGS: readonly Tuning[] = [1, 2].flatMap((threads) =>
  [false, true].map((unpacked) => ({ threads, unpacked })),
);
const RUNS = 3;

/** By model file; every later load of the same one is of the best. */
const best = new Map<string, Tuning>();

/** Loads a task in the fastest of its forms under the device's limits, found out the first time. Leaves the limits set. */
export async function loadTuned(device: BareDevice, task: BareTask): Promise<void> {
  const known = best.get(task.path);
  if (known === undefined) {
    const tried: { readonly tuning: Tuning; readonly ms: number }[] = [];
    for (const tuning of TUNINGS) {
      await load(device, { ...task, ...tuning });
      const times: number[] = [];
      for (let run = 0; run < RUNS; run++) times.push(await device.bare());
      tried.push({ tuning, ms: median(times) });
    }
    tried.sort((a, b) => a.ms - b.ms);
    const [first] = tried;
    if (first !== undefined) best.set(task.path, first.tuning);
    print(
      `one device alone: ${tried.map(({ tuning, ms }) => `${nameOf(tuning)} ${Math.round(ms)} ms`).join(', ')}`,
    );
  }
  await load(device, { ...task, ...best.get(task.path) });
}

async function load(device: BareDevice, task: BareTask): Promise<void> {
  device.cluster.unlimit();
  await device.load(task);
  device.cluster.limit();
}

function nameOf({ threads, unpacked }: Tuning): string {
  return `${threads} thread${threads === 1 ? '' : 's'}${unpacked ? ', weights not packed' : ''}`;
}
