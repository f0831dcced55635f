/**
 * A worker where memory is short. What it takes beside its sub-models is not what it uses but what two allocators keep:
 * the C library's, which gives nothing back below a mark that rises with the largest buffer, and V8's, which begins to
 * collect when 32 MB of messages have come. To keep less of it costs time: pages that were given back are fetched again.
 */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes above which a buffer is mapped by itself, and goes back when it is freed. */
const MAPPED_FROM_BYTES = String(128 * 1024);
/** Megabytes: a larger young generation is filled before anything in it is collected. */
const YOUNG_FLAG = '--max-semi-space-size=1';

/** `environment` with what a lean worker's process must be started with; both allocators read it once, at the start. */
export function leanEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS } = environment;
  return {
    ...environment,
    // One pool of memory for all threads: each of its own keeps what the others could use.
    MALLOC_ARENA_MAX: '1',
    MALLOC_MMAP_THRESHOLD_: MAPPED_FROM_BYTES,
    MALLOC_TRIM_THRESHOLD_: MAPPED_FROM_BYTES,
    NODE_OPTIONS: NODE_OPTIONS ? `${NODE_OPTIONS} ${YOUNG_FLAG}` : YOUNG_FLAG,
  };
}

/** Bytes of messages after which their garbage is collected: a millisecond, where a task of as much takes dozens. */
const COLLECT_BYTES = 2 * 2 ** 20;

/** Collects what messages leave behind, much sooner than the engine would: it counts them by their JavaScript objects. */
export class PromptCollector {
  #collect: (() => void) | undefined;
  #bytes = 0;

  start(): void {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as (options: { type: 'minor' }) => void;
    this.#collect = () => gc({ type: 'minor' });
  }

  /** So many bytes of messages are of no more use. */
  spent(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < COLLECT_BYTES) return;
    this.#bytes = 0;
    this.#collect?.();
  }
}
