/** Opens a model for pictures that travel as pixels, with what is recognised of it and what is configured. */

import { type PixelInput, withPixelInput } from '../graph/pixel-input.ts';
import type { Graph } from '../graph/types.ts';
import type { Pipeline } from '../schema/generated/pipeline.ts';
import { recognise } from './recognise.ts';
import { settle } from './settings.ts';

/**
 * The graph that takes pixels. Its normalisation is the pipeline's, recognised and then configured: it must be known
 * now, because it becomes part of the graph. Throws as `withPixelInput` and `settle` do.
 */
export function takePixels(graph: Graph, name: string, configured: Pipeline = {}): PixelInput {
  const { pipeline } = recognise({ inputs: graph.inputs, outputs: graph.outputs, name });
  return withPixelInput(graph, settle(pipeline, configured).preprocess);
}
