/**
 * `npm run bench -- deepthings`: the first 16 layers of YOLOv2 on one to six slow devices, as in DeepThings: how much
 * sooner a frame is there than on one device, and what each device has to hold for it.
 */

import { bytes, print, table } from '../../output.ts';
import { chosenValues } from '../emulated/cell-names.ts';
import { LEAST_FOR_INTERVAL } from '../emulated/interval.ts';
import { benchNetwork } from '../emulated/network.ts';
import { plausibleProfile } from '../emulated/plausible-profile.ts';
import { Rig } from '../emulated/rig.ts';
import { type BenchReport, rounded } from '../report.ts';
import { CPU, DEVICES, HUB_CPU, LINK } from './conditions.ts';
import { Runs } from './runs.ts';
import { deepThingsTargets, type MemoryResult, type SpeedResult, speedUp } from './targets.ts';

export interface DeepThingsFlags {
  /** `speed,6`; absent: all. */
  readonly cells?: string | undefined;
  /** Frames of each plan; absent: six. */
  readonly repetitions?: number | undefined;
}

const KINDS = { part: ['speed', 'memory'], devices: ['1', '2', '3', '4', '5', '6'] } as const;
const REPETITIONS = 6;

export async function benchDeepThings(flags: DeepThingsFlags): Promise<BenchReport> {
  const { part, devices } = chosenValues(flags.cells, KINDS);
  const { repetitions = REPETITIONS } = flags;
  const began = performance.now();
  const network = await benchNetwork('yolov2-16');
  const rig = new Rig({ devices: DEVICES, cpu: CPU, hubCpu: HUB_CPU, link: LINK, sharedForms: false });
  const speeds: SpeedResult[] = [];
  let memories: MemoryResult[] = [];
  try {
    await rig.start();
    const profile = await plausibleProfile(rig, network);
    rig.cluster.unlimit();
    await rig.startServices();
    const runs = new Runs({ rig, network, profile, repetitions });
    if (part.includes('speed'))
      for (const count of devices) speeds.push(...(await runs.speed(Number(count))));
    if (part.includes('memory')) memories = await runs.memory();
  } finally {
    await rig.stop();
  }
  show(speeds, memories);
  print(`the whole bench took ${Math.round((performance.now() - began) / 1000)} s`);
  return {
    bench: 'deepthings',
    cells: [...speeds.map((result) => cellOf(result, 'speed')), ...memories.map(memoryCell)],
    targets: deepThingsTargets(speeds, memories),
  };
}

type Cell = BenchReport['cells'][number];

function cellOf(result: SpeedResult, part: string): Cell {
  return {
    link: LINK,
    cpu: CPU,
    plan: `${part}: ${result.plan} x ${result.devices}`,
    medianMs: rounded(result.medianMs),
    [result.n < LEAST_FOR_INTERVAL ? 'range' : 'ci95']: result.interval.map(rounded),
    n: result.n,
    oneDeviceMs: rounded(result.aloneMs),
    speedUp: rounded(speedUp(result)),
  };
}

function memoryCell(result: MemoryResult): Cell {
  return { ...cellOf(result, 'memory'), peakMB: rounded(result.peakBytes / 1e6) };
}

function show(speeds: readonly SpeedResult[], memories: readonly MemoryResult[]): void {
  const times = (result: SpeedResult): string => `${speedUp(result).toFixed(2)} x`;
  if (speeds.length > 0)
    print(
      table(
        ['devices', 'plan', 'ms', 'n', 'one device, ms', 'speed-up'],
        speeds.map((result) => [
          result.devices,
          result.plan,
          rounded(result.medianMs),
          result.n,
          rounded(result.aloneMs),
          times(result),
        ]),
      ),
    );
  if (memories.length > 0)
    print(
      table(
        ['plan', 'peak of a device', 'of the untiled run', 'speed-up'],
        memories.map((result) => [
          result.plan,
          bytes(result.peakBytes),
          `${((100 * result.peakBytes) / result.untiledBytes).toFixed(0)} %`,
          times(result),
        ]),
      ),
    );
}
