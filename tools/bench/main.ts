/** `npm run bench -- <name>`: figures, never assertions. The last line is one JSON object. */

import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { writeWhole } from '../../services/controller/plan-files.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { partition } from '../../services/core/tiling/partition.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { naturalRange, randomInput } from '../input.ts';
import { interruption } from '../interrupt.ts';
import { whole } from '../numbers.ts';
import { print, printJson, table } from '../output.ts';
import { benchDeepThings } from './deepthings/bench.ts';
import { benchHotEdge } from './hotedge/bench.ts';
import { benchIdle } from './idle.ts';
import { benchMemory } from './memory.ts';
import { benchMessages } from './messages.ts';
import { type PairOptions, pairedRuns, sharedModel } from './pipeline-bench.ts';
import { benchPrediction } from './prediction/bench.ts';
import { atLeast, atMost, type BenchReport, rounded, type Target } from './report.ts';
import { benchSearch } from './search/bench.ts';
import { benchThroughput } from './throughput/bench.ts';
import { benchWire } from './wire/bench.ts';

/** Of the benches on emulated devices. */
interface Flags {
  /** Conditions, separated by commas; absent: all. */
  readonly cells?: string | undefined;
  readonly repetitions?: number | undefined;
  /** File of the picture. */
  readonly svg?: string | undefined;
  /** `wire`: networks, separated by commas; `all`. */
  readonly models?: string | undefined;
  /** `wire`: `halo` or `merge` instead of what the planner chooses. */
  readonly plan?: string | undefined;
  /** `wire`: a line of JSON for every cell when it is done. */
  readonly json?: boolean | undefined;
  /** `wire`: of the link that swings. */
  readonly minutes?: number | undefined;
}

const BENCHES: Readonly<Record<string, (flags: Flags) => Promise<BenchReport>>> = {
  messages: messagesBench,
  cheap: cheapBench,
  parallel: parallelBench,
  memory: benchMemory,
  idle: benchIdle,
  hotedge: benchHotEdge,
  throughput: benchThroughput,
  deepthings: benchDeepThings,
  prediction: benchPrediction,
  search: benchSearch,
  wire: benchWire,
};

/** These need root on Linux and up to 20 minutes each: they run when they are named. */
const EMULATED: ReadonlySet<string> = new Set(['hotedge', 'deepthings', 'prediction', 'throughput', 'wire']);

async function messagesBench(): Promise<BenchReport> {
  const figures = await benchMessages();
  const targets = Object.entries(figures).map(([name, value]) => atLeast(name, 1.5, value));
  return { bench: 'messages', cells: [{ ...figures }], targets };
}

/** One worker that holds the whole model: what everything around the executor costs. */
async function cheapBench(): Promise<BenchReport> {
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
async function parallelBench(): Promise<BenchReport> {
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

function show({ bench, cells, targets }: BenchReport): void {
  print(`\n${bench}`);
  const heads = [...new Set(cells.flatMap((cell) => Object.keys(cell)))];
  print(
    table(
      heads,
      cells.map((cell) => heads.map((head) => [cell[head] ?? ''].flat().join(' - '))),
    ),
  );
  print(
    table(
      ['target', 'wanted', 'seen', 'met'],
      targets.map(({ name, target, value, pass }) => [name, target, value, pass ? 'yes' : 'NO']),
    ),
  );
}

const FLAGS = ['cells', 'repetitions', 'svg', 'models', 'plan', 'minutes'] as const;

async function main(args: string[]): Promise<void> {
  const { positionals: names, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...Object.fromEntries(FLAGS.map((name) => [name, { type: 'string' as const }])),
      json: { type: 'boolean' },
    },
  });
  const text = values as Readonly<Partial<Record<(typeof FLAGS)[number], string>>>;
  const number = (flag: string | undefined): number | undefined =>
    flag === undefined ? undefined : whole(1)(flag);
  const flags = {
    ...text,
    json: values.json === true,
    repetitions: number(text.repetitions),
    minutes: number(text.minutes),
  };
  const chosen = names.length === 0 ? Object.keys(BENCHES).filter((name) => !EMULATED.has(name)) : names;
  for (const name of chosen) {
    const bench = BENCHES[name];
    if (bench === undefined) {
      process.stderr.write(`no bench "${name}"; there are ${Object.keys(BENCHES).join(', ')}\n`);
      process.exitCode = 2;
      return;
    }
    const report = await bench(flags);
    show(report);
    printJson(report);
  }
}

/** Emulated devices are removed when this process exits, which a signal that nobody takes would not let it do. */
async function interruptible(work: Promise<void>): Promise<void> {
  const interrupted = interruption();
  try {
    await interrupted.race(work);
  } catch (error) {
    if (!(error instanceof TilepipeError) || error.code !== 'interrupted') throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(error.exit);
  } finally {
    interrupted.end();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await interruptible(main(process.argv.slice(2)));
