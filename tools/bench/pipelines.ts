/** The benches of one process or a few on this machine: messages, and what pipelines add to the executor. */

import { existsSync } from 'node:fs';
import { writeWhole } from '../../services/controller/plan-files.ts';
import { partition } from '../../services/core/tiling/partition.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { naturalRange, randomInput } from '../input.ts';
import { print } from '../output.ts';
import { benchMessages } from './messages.ts';
import { type PairOptions, pairedRuns, sharedModel } from './pipeline-bench.ts';
import { atLeast, atMost, type BenchReport, rounded, type Target } from './report.ts';

export async function messagesBench(): Promise<BenchReport> {
  const figures = await benchMessages();
  const targets = Object.entries(figures).map(([name, value]) => atLeast(name, 1.5, value));
  return { bench: 'messages', cells: [{ ...figures }], targets };
}

/** One worker that holds the whole model: what everything around the executor costs. */
export async function cheapBench(): Promise<BenchReport> {
  const cells: BenchReport['cells'][number][] = [];
  const targets: Target[] = [];
  for (const name of ['waifu2x_upconv7_scale2x', 'yolox_nano']) {
    if (!there(name)) continue;
    const { bareMs, pipelineMs, n } = await pairedRuns({
      path: sharedModel(name),
      workers: 1,
      rows: 1,
      columns: 1,
      repetitions: 25,
    });
    cells.push({ model: name, bareMs: rounded(bareMs), pipelineMs: rounded(pipelineMs), n });
    targets.push(atMost(`${name}: pipeline - 1.05 x bare, ms`, 10, pipelineMs - 1.05 * bareMs));
  }
  return { bench: 'cheap', cells, targets };
}

/** Two workers on two cores, two tiles: how much of the halved work arrives as time saved. */
export async function parallelBench(): Promise<BenchReport> {
  const cells: BenchReport['cells'][number][] = [];
  const targets: Target[] = [];
  const cases: PairOptions[] = [
    { path: sharedModel('waifu2x_upconv7_scale2x'), workers: 2, rows: 2, columns: 1, repetitions: 25 },
    {
      path: sharedModel('light_vgg19'),
      fillSeed: 1,
      workers: 2,
      rows: 2,
      columns: 1,
      repetitions: 15,
      measure: ({ timing }) =>
        (timing?.blocks ?? []).filter(({ kind }) => kind === 'tile').reduce((sum, { ms }) => sum + ms, 0),
      bare: async ({ graph, analysis }, blobs) => {
        const [convolutions] = partition(graph, analysis);
        if (convolutions === undefined) throw new Error('the model has no blocks');
        const { digest } = await writeWhole(graph, convolutions, blobs);
        return { path: blobs.path(digest), inputs: randomInput(graph.inputs, naturalRange(settle({})), 1) };
      },
    },
  ];
  for (const options of cases) {
    const name = options.path.split('/').at(-1)?.replace('.onnx', '') ?? '';
    if (!there(name)) continue;
    const { bareMs, pipelineMs, n } = await pairedRuns(options);
    cells.push({
      model: name,
      bareMs: rounded(bareMs),
      pipelineMs: rounded(pipelineMs),
      ratio: rounded(pipelineMs / bareMs),
      n,
    });
    targets.push(atMost(`${name}: 2 workers / 1 core`, 0.62, pipelineMs / bareMs));
  }
  return { bench: 'parallel', cells, targets };
}

function there(name: string): boolean {
  if (existsSync(sharedModel(name))) return true;
  print(`${name} is not here: its cells are left out`);
  return false;
}
