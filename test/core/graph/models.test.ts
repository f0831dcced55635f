/** Real networks: every inferred type is what ONNX Runtime makes, and the written graph computes the same. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readElements } from '../../../services/core/graph/dtype.ts';
import { nodeMacs } from '../../../services/core/graph/macs.ts';
import { readGraph } from '../../../services/core/graph/read-graph.ts';
import type { TensorData } from '../../../services/core/wire/message.ts';
import { encodeGraph } from '../../support/encode-graph.ts';
import { compareTypes, difference, runModel } from '../../support/graph-reference.ts';
import { haveModels, shared } from '../../support/ort.ts';

/** Millions of multiply-accumulates: VGG-19, ResNet-50 and YOLOX-nano as their papers give them. */
const MODELS: readonly { file: string; shape?: [string, number[]]; macs?: [least: number, most: number] }[] =
  [
    { file: 'SqueezeNet_fp16' },
    { file: 'bodypix_mbv1_050_s16', shape: ['input', [1, 161, 241, 3]] },
    { file: 'ch_PP-OCRv3_det_infer', shape: ['x', [1, 3, 160, 192]] },
    { file: 'light_inception_v2' },
    { file: 'light_resnet50', macs: [4050, 4150] },
    { file: 'light_vgg19', macs: [19_600, 19_700] },
    { file: 'nanodet_m_416' },
    { file: 'squeezenet1.0_fp32_derived' },
    { file: 'unet_sed' },
    { file: 'version-RFB-320' },
    { file: 'waifu2x_upconv7_scale2x' },
    { file: 'yolox_nano', macs: [500, 560] },
  ];

describe.skipIf(!haveModels)('networks nobody here wrote', () => {
  for (const { file, shape, macs } of MODELS) {
    it(file, async () => {
      const bytes = new Uint8Array(readFileSync(shared(`models/${file}.onnx`)));
      const graph = await readGraph(bytes, { shapes: new Map(shape ? [shape] : []) });
      const { wrong, made } = await compareTypes(bytes, graph);
      expect(wrong).toEqual([]);
      const millions = graph.nodes.reduce((sum, node) => sum + nodeMacs(graph, node), 0) / 1e6;
      expect(millions).toBeGreaterThan(macs?.[0] ?? 0);
      expect(millions).toBeLessThan(macs?.[1] ?? 1e6);
      const written = await runModel(encodeGraph(graph), graph.inputs);
      for (const { name } of graph.outputs) {
        expect(difference(written.get(name), made.get(name))).toBeLessThanOrEqual(1e-4);
      }
    });
  }

  for (const file of ['light_inception_v2', 'light_resnet50']) {
    it(`${file} with seeded weights stays in a sane range`, async () => {
      const bytes = new Uint8Array(readFileSync(shared(`models/${file}.onnx`)));
      const graph = await readGraph(bytes, { fillSeed: 7 });
      const { made, wrong } = await compareTypes(encodeGraph(graph), graph);
      expect(wrong).toEqual([]);
      for (const node of graph.nodes.filter(({ op }) => ['Conv', 'Relu', 'Gemm'].includes(op))) {
        const tensor = made.get(node.outputs[0] as string) as TensorData;
        const values = readElements(tensor.dtype, tensor.bytes);
        const rms = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
        expect(rms, node.name).toBeGreaterThan(0.01);
        expect(rms, node.name).toBeLessThan(100);
      }
    });
  }
});
