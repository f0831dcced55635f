/** What a program and the hub process it started say to each other. */

import type { Announcement } from '../../services/core/schema/generated/announcement.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Timing } from '../../services/core/schema/generated/result.ts';
import type { TensorData } from '../../services/core/wire/message.ts';

export type HubRequest =
  | { readonly op: 'start'; readonly host: string; readonly port: number }
  | {
      readonly op: 'deploy';
      readonly plan: Plan;
      readonly digest: string;
      readonly settings: Announcement['settings'];
      readonly frames: Announcement['frames'];
      /** How many workers must have loaded it. */
      readonly workers: number;
    }
  | {
      readonly op: 'frame';
      readonly pipeline: string;
      /** Absent: the tensors of the frame before. */
      readonly inputs?: readonly TensorData[];
      readonly limitMs: number;
    }
  | { readonly op: 'withdraw'; readonly pipeline: string };

/** What became of one frame. */
export interface FrameTimes {
  /** From the camera's first byte to the result, all on the hub. */
  readonly roundTripMs: number;
  readonly timing: Timing;
  /** Tensor bytes moved. */
  readonly bytes: number;
}

export type HubReply =
  | { readonly ok: true; readonly frame?: FrameTimes }
  | { readonly ok: false; readonly error: string };
