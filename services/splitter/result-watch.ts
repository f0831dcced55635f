/**
 * Results as everybody sees them: a frame is over when its result is out, also where the merger that published it
 * died before it could say so.
 */

import type { Bus, Incoming } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { subscribeAll } from '../core/control/subscribe-all.ts';

export interface ResultWatchDeps {
  readonly control: Bus;
  readonly topics: Topics;
  /** Only these pipelines; absent: all. */
  readonly pipelines?: readonly string[];
  /** Whether frames of a pipeline are under way here: other results are not looked into. */
  readonly awaits: (pipeline: string) => boolean;
  /** The result of a frame has been published. */
  readonly seen: (pipeline: string, frame: string) => void;
}

export class ResultWatch {
  readonly #deps: ResultWatchDeps;
  #undo: (() => Promise<void>) | undefined;

  constructor(deps: ResultWatchDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { control, topics, pipelines = ['+'] } = this.#deps;
    const filters = pipelines.map((pipeline) => topics.filter('result', { pipeline, source: '+' }));
    this.#undo = await subscribeAll(control, filters, (message) => this.#receive(message), { qos: 1 });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
  }

  #receive({ topic, payload }: Incoming): void {
    const { topics, awaits, seen } = this.#deps;
    const names = topics.parse('result', topic);
    if (names === undefined || !awaits(names.pipeline)) return;
    const frame = finishedFrame(payload);
    if (frame !== undefined) seen(names.pipeline, frame);
  }
}

/** The frame a result is of; undefined for errors, which the splitter publishes itself, and for what is no result. */
function finishedFrame(payload: Buffer): string | undefined {
  try {
    const { frame, ok } = JSON.parse(payload.toString('utf8')) as { frame?: unknown; ok?: unknown };
    return ok === true && typeof frame === 'string' ? frame : undefined;
  } catch {
    return undefined;
  }
}
