/** Sub-models in the executor, each once however many plans use it. */

import type { BlobCache } from '../core/runtime/blobs.ts';
import type { Plan } from '../core/schema/generated/plan.ts';
import type { Executor } from './executor/executor.ts';

export type ModelFiles = Plan['models'][number];

interface Shelved {
  readonly users: Set<string>;
  readonly session: Promise<number>;
  readonly release: () => void;
}

export interface ModelShelfDeps {
  readonly executor: Executor;
  readonly blobs: BlobCache;
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

  /** Downloads and loads a sub-model for a user (a plan), or joins whoever did. */
  take(model: ModelFiles, store: string, user: string): Promise<number> {
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
  async leave(digest: string, user: string): Promise<void> {
    const shelved = this.#models.get(digest);
    if (shelved?.users.delete(user) !== true || shelved.users.size > 0) return;
    this.#models.delete(digest);
    shelved.release();
    await shelved.session.then((session) => this.#deps.executor.unload(session)).catch(() => undefined);
  }

  async #load({ digest, bytes, weights }: ModelFiles, store: string): Promise<number> {
    const { blobs, executor } = this.#deps;
    await Promise.all(
      [{ digest, bytes }, ...weights].map((file) => blobs.fetch(file.digest, file.bytes, store)),
    );
    const loaded = this.#turn.then(() => executor.load(blobs.path(digest)));
    this.#turn = loaded.catch(() => undefined);
    const session = await loaded;
    this.loaded++;
    return session;
  }
}
