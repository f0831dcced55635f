/** A graph as the file it could have been read from. */

import type { Graph } from '../../services/core/graph/types.ts';
import { encodeModel } from '../../services/core/graph/write.ts';

/** The whole graph as one file with inline weights: what was read, folded and filled, for a reference run. */
export function encodeGraph(graph: Graph): Uint8Array {
  return encodeModel({ ...graph, initializers: graph.constants.values() });
}
