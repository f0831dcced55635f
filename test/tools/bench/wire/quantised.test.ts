import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAnalysed } from '../../../../services/controller/prepare.ts';
import { BlobCache } from '../../../../services/core/runtime/blobs.ts';
import { settle } from '../../../../services/core/vision/settings.ts';
import { OrtExecutor } from '../../../../services/worker/executor/ort.ts';
import { OutputComparison } from '../../../../tools/accuracy/accuracy.ts';
import { openGraph } from '../../../../tools/accuracy/graph-runner.ts';
import { quantised } from '../../../../tools/bench/wire/quantised.ts';
import { randomInput } from '../../../../tools/input.ts';
import { Sketch } from '../../../../tools/zoo/sketch.ts';
import { writeNetwork } from '../../../../tools/zoo/write-network.ts';

const folder = mkdtempSync(join(tmpdir(), 'tilepipe-quantised-'));
const executor = new OrtExecutor();
beforeAll(() => executor.start());
afterAll(async () => {
  await executor.stop();
  rmSync(folder, { recursive: true, force: true });
});

function draw(): Sketch {
  const sketch = new Sketch();
  let x = sketch.picture(32);
  x = sketch.conv('first', x, { channels: 8, kernel: 3, activation: 'relu' });
  x = sketch.maxPool('pool', x, 2, 2);
  const y = sketch.conv('second', x, { channels: 8, kernel: 3, activation: 'leaky' });
  x = sketch.add('sum', x, y);
  sketch.output(sketch.conv('head', x, { channels: 4, kernel: 1 }));
  return sketch;
}

test('the int8 form gives nearly the same numbers', async () => {
  const { file } = await writeNetwork({ name: 'small', summary: '', draw }, folder, { seed: 1 });
  const { graph } = await openAnalysed(file, {});
  const deps = { executor, blobs: new BlobCache({ folder }) };
  const samples = [1, 2].map((seed) => ({
    name: String(seed),
    inputs: randomInput(graph.inputs, { low: -2, high: 2 }, seed),
  }));
  const int8 = await quantised(deps, graph, samples);
  expect(int8.nodes.filter(({ op }) => op === 'QuantizeLinear').length).toBeGreaterThan(3);
  expect(int8.nodes.some(({ op }) => op === 'Relu')).toBe(false);
  const compared = new OutputComparison(settle({ answer: { task: 'tensors' } }));
  const [plain, bytes] = [await openGraph(deps, graph), await openGraph(deps, int8)];
  for (const sample of samples)
    compared.add(sample, await plain.run(sample.inputs), await bytes.run(sample.inputs));
  const { relativeRms } = compared.result();
  expect(relativeRms).toBeGreaterThan(0);
  expect(relativeRms).toBeLessThan(0.1);
});
