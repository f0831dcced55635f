/** What a bench and the process that listens to its pipelines say to each other. */

import type { Plan } from '../../../services/core/schema/generated/plan.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';

export type WatchRequest =
  | {
      /** Sends one frame and answers with its raw outputs. */
      readonly op: 'outputs';
      readonly pipeline: string;
      readonly inputs: readonly TensorData[];
      readonly limitMs: number;
    }
  /** What has been announced of a pipeline; the first request begins to listen. */
  | { readonly op: 'plans'; readonly pipeline: string };

/** Beside the request, where the broker is. */
export type WatchMessage = WatchRequest & { readonly broker: string };

interface AnnouncedAs {
  readonly digest: string;
  readonly plan: Plan;
}

export interface WatchAnswer {
  readonly tensors?: readonly TensorData[];
  readonly plans?: readonly (AnnouncedAs & { readonly fallback?: AnnouncedAs })[];
  readonly error?: string;
}
