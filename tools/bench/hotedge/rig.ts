/** The emulated cluster of the comparison: a hub, four devices with workers, and one that runs the model bare. */

import type { PreparedPlan } from '../../../services/controller/prepare.ts';
import type { Result } from '../../../services/core/schema/generated/result.ts';
import type { Settings } from '../../../services/core/vision/settings.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { HUB } from '../../emulate/cluster.ts';
import type { FrameTimes } from '../../emulate/hub-messages.ts';
import { Rig, type RigOptions } from '../emulated/rig.ts';

export const DEVICES = ['device-1', 'device-2', 'device-3', 'device-4'] as const;
/** A whole minute and more at the slowest link. */
export const FRAME_MS = 600_000;
export const FRAMES = { maxInFlight: 1, maxWaiting: 4, deadlineMs: FRAME_MS, attempts: 1 } as const;

/** One run of a plan and what it took of the hub. */
export interface PlanRun extends FrameTimes {
  /** Milliseconds of processor time. */
  readonly hubMs: number;
}

/** A plan with the frame it is run on. */
export interface Framed {
  readonly prepared: PreparedPlan;
  readonly settings: Settings;
  readonly inputs: readonly TensorData[];
}

/** Plans that were rolled out stay, from cell to cell; only links and processors are changed, in place. */
export class HotEdgeRig extends Rig {
  /** Pipelines whose frame the hub has in its memory. */
  readonly #framed = new Set<string>();

  constructor(options: Pick<RigOptions, 'hubComputes'>) {
    super({
      ...options,
      devices: DEVICES,
      cpu: '250m',
      hubCpu: '250m',
      link: '200mbit',
      sharedForms: true,
    });
  }

  async rollOut({ prepared, settings }: Framed): Promise<void> {
    await this.hub.deploy(prepared, { ...settings }, FRAMES, this.workers.length);
  }

  /** One frame of a pipeline that was rolled out. */
  async frame(pipeline: string, inputs: readonly TensorData[]): Promise<PlanRun> {
    const first = !this.#framed.has(pipeline);
    this.#framed.add(pipeline);
    const before = this.cluster.cpuStat(HUB).usageMs;
    const times = await this.hub.frame(pipeline, FRAME_MS, first ? inputs : undefined);
    return { ...times, hubMs: this.cluster.cpuStat(HUB).usageMs - before };
  }
}

/** Blocks of a run for people: `4 tiles 193 (167)`, the slowest task in parentheses. */
export function blocksText(blocks: NonNullable<Result['timing']>['blocks']): string {
  return blocks
    .map(({ kind, tiles, ms, slowestTileMs = 0 }) => {
      const what = kind === 'whole' ? 'whole' : `${tiles} ${kind}s`;
      return `${what} ${Math.round(ms)} (${Math.round(slowestTileMs)})`;
    })
    .join(', ');
}
