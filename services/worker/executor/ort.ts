/** ONNX Runtime on the CPU, in a thread of its own: the event loop keeps receiving tiles while one is computed. */

import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { entryPath } from '../../core/runtime/entry.ts';
import { type ErrorCode, TilepipeError } from '../../core/runtime/errors.ts';
import { checkPlatform, type Platform } from '../../core/runtime/platform.ts';
import type { TensorData } from '../../core/wire/message.ts';
import type { Executor, RunResult } from './executor.ts';
import { freeMemory } from './free-memory.ts';
import { isRewritten, optimisedFolder, removeUnused, runsUnpacked } from './optimised.ts';
import type { LoadBytes, LoadPath, OrtReply, OrtRequest, OrtSettings, PassedTensor } from './ort-messages.ts';

export interface OrtOptions {
  /** Threads inside one operator; 1 by default: two processes of one thread beat one of two. */
  readonly threads?: number | undefined;
  /** Whether graphs are optimised; true by default. Not to do so shows how far the numbers depend on it. */
  readonly optimise?: boolean | undefined;
  /** Where optimised forms are kept; absent: every load optimises anew. */
  readonly optimised?: string | undefined;
  /** Without `optimised`: keep weights as they lie in the file, without packed copies; false by default. */
  readonly unpacked?: boolean | undefined;
  /** What it runs on; the process's own by default. */
  readonly platform?: Platform | undefined;
}

interface Pending {
  readonly code: ErrorCode;
  readonly what: string;
  readonly resolve: (reply: OrtReply) => void;
  readonly reject: (error: TilepipeError) => void;
}

/** A request as the thread gets it, before it has a number. */
type Request = OrtRequest extends infer R ? (R extends OrtRequest ? Omit<R, 'id'> : never) : never;

/** Where a session came from: a thread that replaces a dead one loads it again. */
interface Session {
  readonly from: LoadPath | LoadBytes;
  generation: number;
}

export class OrtExecutor implements Executor {
  readonly #options: OrtOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #sessions = new Map<number, Session>();
  #thread: Worker | undefined;
  #starting: Promise<void> | undefined;
  #stopped = false;
  #ending = new Int32Array(new SharedArrayBuffer(4));
  #generation = 0;
  #version = 'not started';
  #requests = 0;
  #handles = 0;

  constructor(options: OrtOptions = {}) {
    this.#options = options;
  }

  /** Starts the thread, also after `stop`. Rejects with `platform-unsupported` where the library has no build. */
  async start(): Promise<void> {
    checkPlatform(this.#options.platform);
    this.#stopped = false;
    if (this.#options.optimised !== undefined) removeUnused(this.#options.optimised);
    await this.#launched();
  }

  /**
   * Ends the thread after the run it is in; what waits rejects, and so does what is asked until the next `start`.
   * The thread is asked, not terminated: a run whose thread is taken away ends the whole process (an uncaught Napi::Error).
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    const thread = this.#thread;
    if (thread === undefined) return;
    const ended = new Promise((resolve) => thread.once('exit', resolve));
    Atomics.store(this.#ending, 0, 1);
    this.#lose(thread, 'the executor was stopped');
    this.#sessions.clear();
    thread.postMessage({ op: 'end', id: 0 } satisfies OrtRequest);
    await ended;
  }

  load(path: string): Promise<number> {
    return this.#load(() => this.#placed(path), path);
  }

  /**
   * Loads a model held in memory; `folder` is where its external weights are, if it has any, and `name` is for
   * messages. The bytes are copied and kept. Rejects with `model-refused`.
   */
  loadBytes(
    model: Uint8Array,
    { name = 'the model', folder }: { name?: string; folder?: string } = {},
  ): Promise<number> {
    return this.#load(() => ({ model, folder }), name);
  }

  async unload(session: number): Promise<void> {
    const known = this.#sessions.get(session);
    this.#sessions.delete(session);
    if (known === undefined || known.generation !== this.#generation || this.#thread === undefined) return;
    await this.#request({ op: 'unload', session }, 'internal', 'unload');
  }

  async run(session: number, inputs: readonly TensorData[], outputs?: readonly string[]): Promise<RunResult> {
    const known = this.#sessions.get(session);
    if (known === undefined) throw new TilepipeError('task-failed', `session ${session} is not loaded`);
    await this.#ready('task-failed', 'the run');
    if (known.generation !== this.#generation) await this.#loadInThread(session, known, 'a session');
    const passed = inputs.map(pass);
    const buffers = [...new Set(passed.map(({ buffer }) => buffer))];
    const reply = await this.#request(
      { op: 'run', session, inputs: passed, outputs },
      'task-failed',
      'the run',
      buffers,
    );
    const { outputs: made = [], computeMs = 0 } = reply as {
      outputs?: readonly PassedTensor[];
      computeMs?: number;
    };
    const release = (): void => freeMemory(made.map(({ buffer }) => buffer));
    return { outputs: made.map(received), computeMs, release };
  }

  describe(): string {
    return `onnxruntime-node ${this.#version} cpu threads=${this.#options.threads ?? 1}`;
  }

  async #load(from: () => LoadPath | LoadBytes, what: string): Promise<number> {
    await this.#ready('model-refused', what);
    const session: Session = { from: from(), generation: 0 };
    const handle = ++this.#handles;
    await this.#loadInThread(handle, session, what);
    this.#sessions.set(handle, session);
    return handle;
  }

  async #loadInThread(handle: number, session: Session, what: string): Promise<void> {
    // Known before the answer: runs that come meanwhile queue behind the load in the thread.
    session.generation = this.#generation;
    try {
      await this.#request({ op: 'load', session: handle, from: session.from }, 'model-refused', what);
    } catch (error) {
      session.generation = 0;
      throw error;
    }
  }

  #placed(path: string): LoadPath {
    const { optimised } = this.#options;
    if (optimised === undefined) return { path, unpacked: this.#options.unpacked ?? false };
    const folder = optimisedFolder(optimised, `onnxruntime-node ${this.#version}`, path);
    if (folder === undefined) return { path, unpacked: false };
    try {
      const model = readFileSync(path);
      return { path, optimised: isRewritten(model) ? folder : undefined, unpacked: runsUnpacked(model) };
    } catch (error) {
      throw new TilepipeError('model-refused', `${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** A thread that was lost is replaced, one that was stopped is not: nobody would end it any more. */
  async #ready(code: ErrorCode, what: string): Promise<void> {
    if (this.#stopped) throw new TilepipeError(code, `${what}: the executor was stopped`);
    await this.#launched();
  }

  #launched(): Promise<void> {
    this.#starting ??= this.#launch();
    return this.#starting;
  }

  #launch(): Promise<void> {
    this.#generation++;
    this.#ending = new Int32Array(new SharedArrayBuffer(4));
    const workerData: OrtSettings = {
      threads: this.#options.threads ?? 1,
      optimise: this.#options.optimise ?? true,
      ending: this.#ending,
    };
    const thread = new Worker(entryPath('services/worker/executor/ort-thread'), { workerData });
    this.#thread = thread;
    return new Promise((resolve, reject) => {
      this.#pending.set(0, {
        code: 'platform-unsupported',
        what: 'onnxruntime-node',
        resolve: (reply) => {
          if ('version' in reply) this.#version = reply.version;
          resolve();
        },
        reject,
      });
      thread.on('message', (reply: OrtReply) => this.#settle(reply));
      thread.on('error', (error) => this.#lose(thread, error.message));
      thread.on('exit', (code) => this.#lose(thread, `its thread ended with code ${code}`));
    });
  }

  #request(
    request: Request,
    code: ErrorCode,
    what: string,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<OrtReply> {
    const thread = this.#thread;
    if (thread === undefined)
      return Promise.reject(new TilepipeError(code, `${what}: the executor was stopped`));
    const id = ++this.#requests;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { code, what, resolve, reject });
      thread.postMessage({ ...request, id }, [...transfer]);
    });
  }

  #settle(reply: OrtReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (pending === undefined) return;
    if ('error' in reply) pending.reject(new TilepipeError(pending.code, `${pending.what}: ${reply.error}`));
    else pending.resolve(reply);
  }

  /** The thread is gone: everything asked of it fails, and the next request starts another. */
  #lose(thread: Worker | undefined, reason: string): void {
    if (thread === undefined || this.#thread !== thread) return;
    this.#thread = undefined;
    this.#starting = undefined;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { code, what, reject } of pending) reject(new TilepipeError(code, `${what}: ${reason}`));
  }
}

/**
 * Bytes that fill their buffer are handed over; a view of something larger is copied once, because the rest of
 * the buffer belongs to others: a received message, or a pool.
 */
function pass({ name, dtype, shape, bytes }: TensorData): PassedTensor {
  const { byteLength } = bytes;
  const whole = bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === byteLength;
  const own = whole ? bytes : copy(bytes);
  return { name, dtype, shape, buffer: own.buffer as ArrayBuffer, byteOffset: 0, byteLength };
}

/** Into a buffer of its own that need not be cleared first. */
function copy(bytes: Uint8Array): Uint8Array {
  const own = Buffer.allocUnsafeSlow(bytes.byteLength);
  own.set(bytes);
  return own;
}

function received({ name, dtype, shape, buffer, byteOffset, byteLength }: PassedTensor): TensorData {
  return { name, dtype, shape, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}
