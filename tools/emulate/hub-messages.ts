/** What a program and the hub process it started say to each other. */

import type { Rollout } from '../../services/controller/controller.ts';
import type { PlanChange } from '../../services/controller/replan/replanning.ts';
import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import type { Timing } from '../../services/core/schema/generated/result.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import type { PipelineConfig } from '../config.ts';

export type HubRequest =
  | { readonly op: 'start'; readonly host: string; readonly port: number }
  | {
      readonly op: 'deploy';
      readonly prepared: Rollout['plan'];
      readonly settings: Announcement['settings'];
      readonly frames: Announcement['frames'];
      /** How many workers must have loaded it. */
      readonly workers: number;
    }
  | {
      /** A pipeline that is planned on the hub, and planned again as its devices change; a frame waits for its workers. */
      readonly op: 'follow';
      readonly pipeline: PipelineConfig;
      /** What its paths are relative to. */
      readonly folder: string;
    }
  | {
      readonly op: 'frame';
      readonly pipeline: string;
      /** Absent: the tensors of that pipeline's frame before. */
      readonly inputs?: readonly TensorData[];
      readonly limitMs: number;
    }
  | { readonly op: 'stream'; readonly pipeline: string; readonly stream: StreamOptions }
  /** Of a pipeline that is followed: every change of its plan so far. */
  | { readonly op: 'changes'; readonly pipeline: string }
  | { readonly op: 'withdraw'; readonly pipeline: string };

/** Frames one after the other, each sent when the one before is answered. */
export interface StreamOptions {
  /** It ends when the plan has changed and stayed the same for this long. */
  readonly settledMs: number;
  /** It ends in any case. */
  readonly mostMs: number;
  /** Of one frame. */
  readonly limitMs: number;
}

/** What became of one frame. */
export interface FrameTimes {
  /** From the camera's first byte to the result, all on the hub. */
  readonly roundTripMs: number;
  /** When it ended, by the machine's monotonic clock (`machineMs`). */
  readonly endedAt: number;
  /** Digest of the plan it ran on. */
  readonly plan: string;
  readonly timing: Timing;
  /** Tensor bytes moved. */
  readonly bytes: number;
}

/** A change of plan, announced at a time of the machine's clock. */
export interface TimedChange extends PlanChange {
  readonly at: number;
}

export type HubReply =
  | { readonly ok: true; readonly frames?: readonly FrameTimes[]; readonly changes?: readonly TimedChange[] }
  | { readonly ok: false; readonly error: string };

/** Milliseconds of a clock that all processes of this machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
