/** From camera messages to frames: decoded off the event loop, or refused with an answer; the next one is not affected. */

import type { Incoming } from '../core/bus/bus.ts';
import type { AnnouncedPlan } from '../core/control/plan-watch.ts';
import { monotonicMs } from '../core/runtime/clock.ts';
import { Counters } from '../core/runtime/counters.ts';
import { asTilepipeError, type ErrorCode, TilepipeError } from '../core/runtime/errors.ts';
import type { Log } from '../core/runtime/log.ts';
import { Assembler } from '../core/wire/assembler.ts';
import type { Frame } from './frame-queue.ts';
import type { Camera } from './frame-watch.ts';
import { Intake, isWireMessage } from './intake.ts';

export interface ReceptionDeps {
  readonly log: Log;
  /** The plan by which frames of a pipeline are read now. */
  readonly planOf: (pipeline: string) => AnnouncedPlan | undefined;
  readonly read: (pipeline: string, frame: Frame) => void;
  /** The frame ends here, as an error. */
  readonly refused: (
    pipeline: string,
    frame: Pick<Frame, 'id' | 'source' | 'sequence'>,
    code: ErrorCode,
    message: string,
  ) => void;
}

export class Reception {
  readonly #deps: ReceptionDeps;
  /** Ids of frames must not repeat over restarts. */
  readonly #run = Math.random().toString(36).slice(2, 8);
  readonly #intakes = new WeakMap<AnnouncedPlan, Intake>();
  /** Parts of tensor frames that are not whole yet. */
  readonly #parts: Assembler;
  readonly #rejected = new Counters();
  #sequence = 0;
  #reading = 0;

  constructor(deps: ReceptionDeps) {
    this.#deps = deps;
    this.#parts = new Assembler({
      now: monotonicMs,
      onReject: ({ reason }, from) => deps.log.warn({ reason, from }, 'a frame was refused'),
    });
  }

  /** Camera messages being read. */
  get reading(): number {
    return this.#reading;
  }

  /** How a plan's frames are read. */
  intake(plan: AnnouncedPlan): Intake {
    let intake = this.#intakes.get(plan);
    if (intake === undefined) {
      intake = new Intake(plan);
      this.#intakes.set(plan, intake);
    }
    return intake;
  }

  /** Never rejects. */
  async take({ pipeline, source }: Camera, { topic, payload }: Incoming): Promise<void> {
    const message = isWireMessage(payload) ? this.#parts.accept(topic, payload) : undefined;
    // A part of a frame that is not whole yet, or one that was refused and counted.
    if (message === undefined && isWireMessage(payload)) return;
    const { log, planOf, read, refused } = this.#deps;
    const sequence = this.#sequence++;
    const id = `${this.#run}-${sequence}`;
    const arrivedAt = monotonicMs();
    this.#reading++;
    try {
      const plan = planOf(pipeline);
      if (plan === undefined) {
        throw new TilepipeError(
          'no-worker',
          `pipeline ${pipeline} has no plan: frames of ${source} cannot be run`,
        );
      }
      const intake = this.intake(plan);
      const content = message === undefined ? await intake.picture(payload) : intake.tensors(message);
      const { reading } = intake;
      const deadlineAt = arrivedAt + plan.announcement.frames.deadlineMs;
      read(pipeline, { id, source, sequence, ...content, reading, arrivedAt, deadlineAt });
    } catch (error) {
      const { code, message: what } = asTilepipeError(error);
      this.#rejected.add(`rejected.${code}`);
      log.warn({ pipeline, source, frame: id, code }, what);
      refused(pipeline, { id, source, sequence }, code, what);
    } finally {
      this.#reading--;
    }
  }

  /** Frames refused, by code. */
  counters(): Record<string, number> {
    return this.#rejected.snapshot();
  }
}
