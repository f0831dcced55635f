/** What the uncut model makes of sample frames: its outputs, the ranges that bytes must cover, how well tensors deflate. */

import { deflateRawSync } from 'node:zlib';
import type { ValueRange } from '../../services/core/graph/cut-codecs.ts';
import type { Graph } from '../../services/core/graph/types.ts';
import { floatsOf } from '../../services/core/vision/floats.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { openGraph, type RunnerDeps } from './graph-runner.ts';
import type { Sample } from './samples.ts';

export interface Calibration {
  /** By tensor; zero is always inside. */
  readonly ranges: Readonly<Record<string, ValueRange>>;
  /** How many times smaller deflate makes the tensor as it is, over all samples; where it was asked for. */
  readonly ratios: ReadonlyMap<string, number>;
  /** Of the model, sample by sample. */
  readonly outputs: readonly (readonly TensorData[])[];
}

export interface CalibrationOptions {
  readonly ratios?: boolean;
  /** Hears of every sample, counted from 1. */
  readonly progress?: (sample: number) => void;
}

/** As the wire deflates. */
const LEVEL = 1;

/**
 * Runs the uncut model on every sample and looks at `tensors`, which nodes of the graph make. Values that are not
 * finite leave a range that is not finite, which `withCutCodecs` refuses.
 */
export async function calibrate(
  deps: RunnerDeps,
  graph: Graph,
  tensors: readonly string[],
  samples: readonly Pick<Sample, 'inputs'>[],
  { ratios = false, progress }: CalibrationOptions = {},
): Promise<Calibration> {
  const seen = new Map(tensors.map((name) => [name, { min: 0, max: 0, bytes: 0, deflated: 0 }]));
  const outputs: (readonly TensorData[])[] = [];
  const runner = await openGraph(deps, graph, tensors);
  try {
    for (const [at, { inputs }] of samples.entries()) {
      progress?.(at + 1);
      const made = await runner.run(inputs);
      outputs.push(made.slice(0, graph.outputs.length));
      for (const tensor of made) {
        const known = seen.get(tensor.name);
        if (known === undefined) continue;
        widen(known, tensor);
        if (!ratios) continue;
        known.bytes += tensor.bytes.byteLength;
        known.deflated += deflateRawSync(tensor.bytes, { level: LEVEL }).length;
      }
    }
  } finally {
    await runner.close();
  }
  return {
    ranges: Object.fromEntries([...seen].map(([name, { min, max }]) => [name, { min, max }])),
    ratios: new Map(
      [...seen].flatMap(([name, { bytes, deflated }]) => (deflated > 0 ? [[name, bytes / deflated]] : [])),
    ),
    outputs,
  };
}

function widen(range: { min: number; max: number }, tensor: TensorData): void {
  const values = floatsOf(tensor);
  let { min, max } = range;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value < min) min = value;
    else if (value > max) max = value;
    else if (Number.isNaN(value)) min = value;
  }
  range.min = min;
  range.max = max;
}
