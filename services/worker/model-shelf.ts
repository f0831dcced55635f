/** Sub-models in the executor, each once however many plans use it. */

import type { BlobCache } from '../core/runtime/blobs.ts';
import type { Plan } from '../core/schema/generated/plan.ts';
import type { Executor } from './executor/executor.ts';

type ModelFiles = Plan['models'][number];

interface Shelved {
  /** Claims on it, each an object of its own: a plan that is announced again is another user than before. */
  readonly users: Set<object>;
  readonly session: Promise<number>;
  readonly release: () => void;
}

export interface ModelShelfDeps {
  readonly executor: Executor;
  readonly blobs: BlobCache;
  /** Ends the downloads under way. */
  readonly signal: AbortSignal;
}

export class ModelShelf {
  readonly #deps: ModelShelfDeps;
  readonly #models = new Map<string, Shelved>();
  /** Sessions are made one after the other, so that a task that runs meanwhile waits for one at most. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Sub-models loaded so far, those unloaded since included. */
  loaded = 0;

  constructor(deps: ModelShelfDeps) {
    this.#deps = deps;
  }

  /** Downloads and loads a sub-model for a user, or joins whoever did. */
  take(model: ModelFiles, store: string, user: object): Promise<number> {
    const { digest } = model;
    const known = this.#models.get(digest);
    if (known !== undefined) {
      known.users.add(user);
      return known.session;
    }
    const release = this.#deps.blobs.hold([digest, ...model.weights.map((file) => file.digest)]);
    const session = this.#load(model, store);
    const shelved = { users: new Set([user]), session, release };
    this.#models.set(digest, shelved);
    session.catch(() => {
      // What failed is tried anew by whoever asks next.
      if (this.#models.get(digest) === shelved) this.#models.delete(digest);
      release();
    });
    return session;
  }

  /** Ends a user's claim; the last one unloads the sub-model. */
  async leave(digest: string, user: object): Promise<void> {
    const shelved = this.#models.get(digest);
    if (shelved?.users.delete(user) !== true || shelved.users.size > 0) return;
    this.#models.delete(digest);
    shelved.release();
    await shelved.session.then((session) => this.#deps.executor.unload(session)).catch(() => undefined);
  }

  async #load({ digest, bytes, weights }: ModelFiles, store: string): Promise<number> {
    const { blobs, executor, signal } = this.#deps;
    await Promise.all(
      [{ digest, bytes }, ...weights].map((file) => blobs.fetch(file.digest, file.bytes, store, { signal })),
    );
    const loaded = this.#turn.then(() => executor.load(blobs.path(digest)));
    this.#turn = loaded.catch(() => undefined);
    const session = await loaded;
    this.loaded++;
    return session;
  }
}
