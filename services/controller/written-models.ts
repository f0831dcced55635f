/**
 * The sub-models of a graph that are in a store already, so that a plan much like the one before is written at once:
 * without this every plan would hash all of a model's weights again.
 */

import type { Graph } from '../core/graph/types.ts';
import type { SubModelFile } from '../core/planning/plan-document.ts';
import type { BlobCache } from '../core/runtime/blobs.ts';
import type { FusedBlock } from '../core/tiling/types.ts';

const known = new WeakMap<Graph, WeakMap<BlobCache, Map<string, SubModelFile>>>();

/** Sub-models remembered of one graph in one store; the oldest is forgotten. */
const MOST = 4096;

/** A block with its pad pattern, and its files. */
export type WrittenModel = readonly [key: string, file: SubModelFile];

export class WrittenModels {
  readonly #blobs: BlobCache;
  readonly #files: Map<string, SubModelFile>;

  /** Shared by all plans of the graph in this process. */
  constructor(graph: Graph, blobs: BlobCache) {
    this.#blobs = blobs;
    let stores = known.get(graph);
    if (stores === undefined) {
      stores = new WeakMap();
      known.set(graph, stores);
    }
    let files = stores.get(blobs);
    if (files === undefined) {
      files = new Map();
      stores.set(blobs, files);
    }
    this.#files = files;
  }

  /** The files of a block's pad pattern; undefined where one of them is not in the store (any more). */
  find(block: FusedBlock, pattern: string): SubModelFile | undefined {
    const file = this.#files.get(keyOf(block, pattern));
    const there = [file, ...(file?.weights ?? [])].every((each) => each && this.#blobs.has(each.digest));
    return there ? file : undefined;
  }

  add(block: FusedBlock, pattern: string, file: SubModelFile): void {
    this.#keep(keyOf(block, pattern), file);
  }

  /** All that is remembered, as it passes to another process that has the same model and the same store. */
  entries(): WrittenModel[] {
    return [...this.#files];
  }

  adopt(entries: Iterable<WrittenModel>): void {
    for (const [key, file] of entries) this.#keep(key, file);
  }

  #keep(key: string, file: SubModelFile): void {
    this.#files.set(key, file);
    if (this.#files.size > MOST) this.#files.delete(this.#files.keys().next().value as string);
  }
}

function keyOf({ kind, nodes, inputs, outputs }: FusedBlock, pattern: string): string {
  return JSON.stringify([kind, pattern, nodes.map(({ index }) => index), inputs, outputs]);
}
