/** Sends frames and waits for their results, as a camera and its listener would. */

import type { Channels } from '../services/core/bus/connections.ts';
import { monotonicMs } from '../services/core/runtime/clock.ts';
import { TilepipeError } from '../services/core/runtime/errors.ts';
import { validator } from '../services/core/runtime/validate.ts';
import { type Result, resultSchema } from '../services/core/schema/generated/result.ts';
import { Assembler } from '../services/core/wire/assembler.ts';
import { encodeMessage, parts } from '../services/core/wire/encode.ts';
import type { TensorData } from '../services/core/wire/message.ts';

export interface Outcome {
  readonly result: Result;
  /** Raw outputs, for pipelines whose task is tensors. */
  readonly tensors: readonly TensorData[];
  /** From the first byte sent to the result, in milliseconds. */
  readonly roundTripMs: number;
}

interface Waiting {
  tensors: readonly TensorData[] | undefined;
  result: Result | undefined;
  readonly resolve: (outcome: Outcome) => void;
  readonly sentAt: number;
}

const checkResult = validator<Result>(resultSchema, 'wire-invalid', { what: 'result' });

export class Client {
  readonly #channels: Channels;
  readonly #pipeline: string;
  readonly #waiting = new Map<string, Waiting>();
  readonly #assembler = new Assembler({ now: monotonicMs });
  #undo: (() => Promise<void>)[] = [];
  #sent = 0;
  readonly #name: string;

  /** `name` begins the source of every frame; one client per name. */
  constructor(channels: Channels, pipeline: string, name: string) {
    this.#channels = channels;
    this.#pipeline = pipeline;
    this.#name = name;
  }

  async start(): Promise<void> {
    const { control, data, topics } = this.#channels;
    const names = { pipeline: this.#pipeline, source: '+' };
    this.#undo = [
      await data.subscribe(topics.filter('tensors', names), ({ topic, payload }) => {
        const message = this.#assembler.accept(topic, payload);
        const source = topics.parse('tensors', topic)?.source ?? '';
        const waiting = this.#waiting.get(source);
        if (message === undefined || waiting === undefined) return;
        waiting.tensors = message.tensors;
        this.#complete(source, waiting);
      }),
      await control.subscribe(
        topics.filter('result', names),
        ({ topic, payload }) => {
          const source = topics.parse('result', topic)?.source ?? '';
          const waiting = this.#waiting.get(source);
          if (waiting === undefined) return;
          waiting.result = checkResult(JSON.parse(payload.toString('utf8')));
          this.#complete(source, waiting);
        },
        { qos: 1 },
      ),
    ];
  }

  /** Control and data are separate connections: the raw outputs may come after the result. */
  #complete(source: string, waiting: Waiting): void {
    const { result, tensors } = waiting;
    if (result === undefined || (result.ok && result.task === 'tensors' && tensors === undefined)) return;
    this.#waiting.delete(source);
    waiting.resolve({ result, tensors: tensors ?? [], roundTripMs: monotonicMs() - waiting.sentAt });
  }

  async stop(): Promise<void> {
    await Promise.all(this.#undo.map((undo) => undo()));
    this.#undo = [];
  }

  /**
   * Sends a picture file, or tensors, and resolves with what comes back. After `limitMs` it rejects: with
   * `frame-deadline`, or with `message-too-large` where the broker has not even taken the frame.
   */
  async send(frame: Buffer | readonly TensorData[], limitMs: number): Promise<Outcome> {
    const source = `${this.#name}-${this.#sent++}`;
    const outcome = new Promise<Outcome>((resolve) => {
      this.#waiting.set(source, { tensors: undefined, result: undefined, resolve, sentAt: monotonicMs() });
    });
    let taken = false;
    const sending = this.#publish(source, frame).then(() => {
      taken = true;
    });
    return withLimit(Promise.race([outcome, sending.then(() => outcome)]), limitMs, () => {
      this.#waiting.delete(source);
      if (!taken)
        return new TilepipeError(
          'message-too-large',
          `the broker has not taken a frame of ${this.#pipeline} after ${limitMs} ms: it may be larger than the broker takes`,
        );
      return new TilepipeError(
        'frame-deadline',
        `no result for a frame of ${this.#pipeline} after ${limitMs} ms: are its splitter, its merger and workers for every block online?`,
      );
    });
  }

  /** Resolves when the broker has acknowledged all of it: for one that is too large it never does, and hangs up. */
  async #publish(source: string, frame: Buffer | readonly TensorData[]): Promise<void> {
    const topic = this.#channels.topics.build('frame', { pipeline: this.#pipeline, source });
    const intake = await this.#channels.intake();
    const payloads = Buffer.isBuffer(frame)
      ? [frame]
      : parts(encodeMessage({ meta: { kind: 'frame', source }, tensors: frame }), intake.maxMessageBytes);
    for (const payload of payloads) await intake.publish(topic, payload, { qos: 1 });
  }
}

function withLimit<T>(promise: Promise<T>, limitMs: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), limitMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
