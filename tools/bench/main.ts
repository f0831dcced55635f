/** `npm run bench -- <name>`: figures, never assertions. The last line is one JSON object. */

import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { toItsEnd } from '../ending.ts';
import { interruption } from '../interrupt.ts';
import { whole } from '../numbers.ts';
import { print, printJson, table } from '../output.ts';
import { StrictCommand } from '../strict-command.ts';
import { benchDeepThings, DEEPTHINGS_CELLS } from './deepthings/bench.ts';
import { benchHotEdge } from './hotedge/bench.ts';
import { HOTEDGE_CELLS } from './hotedge/cells.ts';
import { benchIdle } from './idle.ts';
import { benchMemory } from './memory.ts';
import { cheapBench, messagesBench, parallelBench } from './pipelines.ts';
import { benchPrediction, PREDICTION_CELLS } from './prediction/bench.ts';
import type { BenchReport } from './report.ts';
import { benchSearch, SEARCH_CELLS } from './search/bench.ts';
import { benchThroughput, THROUGHPUT_CELLS } from './throughput/bench.ts';
import { benchWire, type WireFlags } from './wire/bench.ts';
import { PLAN_KINDS, WIRE_CELLS } from './wire/cells.ts';

/** Beside `--cells`. `wire` has all that any bench has. */
type Flag = Exclude<keyof WireFlags, 'cells'>;

interface Bench {
  readonly what: string;
  readonly run: (flags: WireFlags) => Promise<BenchReport>;
  /** Of `--cells`, by kind of condition. */
  readonly cells?: Readonly<Record<string, readonly string[]>>;
  readonly flags?: readonly Flag[];
  /** Needs root on Linux and up to 20 minutes: it runs when it is named. */
  readonly emulated?: boolean;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  messages: { what: 'messages written, read and passed on', run: messagesBench },
  cheap: { what: 'one worker with the whole model against the executor alone', run: cheapBench },
  parallel: { what: 'two workers with two tiles against one core', run: parallelBench },
  memory: { what: 'what workers keep in memory', run: benchMemory },
  idle: { what: 'processor time of a pipeline without frames', run: benchIdle },
  search: {
    what: 'how far a profile is off, and how long planning takes',
    run: benchSearch,
    cells: SEARCH_CELLS,
    flags: ['repetitions'],
  },
  hotedge: {
    what: 'VGG-16 on four slow devices, by the plans of HotEdge and by the search',
    run: benchHotEdge,
    cells: HOTEDGE_CELLS,
    flags: ['repetitions', 'svg'],
    emulated: true,
  },
  throughput: {
    what: 'frames per second on one to eight slow devices',
    run: benchThroughput,
    cells: THROUGHPUT_CELLS,
    flags: ['repetitions', 'svg'],
    emulated: true,
  },
  deepthings: {
    what: 'the first 16 layers of YOLOv2 on one to six slow devices, as in DeepThings',
    run: benchDeepThings,
    cells: DEEPTHINGS_CELLS,
    flags: ['repetitions'],
    emulated: true,
  },
  prediction: {
    what: 'what plans are predicted to take, and what they take',
    run: benchPrediction,
    cells: PREDICTION_CELLS,
    flags: ['repetitions', 'svg'],
    emulated: true,
  },
  wire: {
    what: "the planner's choice against one device alone, over links of 0.5 to 200 Mbit/s; unless they are named, only the table, with a hub that computes and direct links",
    run: benchWire,
    cells: WIRE_CELLS,
    flags: ['models', 'plan', 'repetitions', 'svg', 'json', 'minutes'],
    emulated: true,
  },
};

const FLAGS: Readonly<Record<Flag, (command: Command) => unknown>> = {
  repetitions: (command) =>
    command.option('--repetitions <n>', "instead of each cell's own number", whole(1)),
  svg: (command) => command.option('--svg <file>', 'where the picture goes'),
  models: (command) =>
    command.option('--models <names>', 'networks, separated by commas; all (default: vgg16)'),
  plan: (command) => command.option('--plan <kind>', `plans of one kind only: ${PLAN_KINDS.join(' or ')}`),
  json: (command) => command.option('--json', 'a line of JSON for every cell when it is done'),
  minutes: (command) => command.option('--minutes <n>', 'how long the link swings', whole(1)),
};

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

/** The command line of benches that are named. */
export function assemble(): Command {
  const program = new StrictCommand('npm run bench --')
    .description('Figures of this machine. Without a name: every bench that needs no emulated devices')
    .showHelpAfterError('(see --help)')
    .exitOverride();
  for (const [name, bench] of Object.entries(BENCHES)) {
    const { what, cells, flags = [], emulated = false } = bench;
    const command = program
      .command(name)
      .description(emulated ? `${what} (root, Linux, up to 20 minutes)` : what);
    if (cells !== undefined) {
      command.option('--cells <names>', 'conditions, separated by commas; of a kind that is not named all');
      const kinds = Object.entries(cells).map(([kind, names]) => `  ${kind}: ${names.join(', ')}`);
      command.addHelpText('after', `\nCells:\n${kinds.join('\n')}`);
    }
    for (const flag of flags) FLAGS[flag](command);
    command.action((given: WireFlags) => runBench(bench, given));
  }
  return program;
}

async function runBench({ run }: Bench, flags: WireFlags): Promise<void> {
  const report = await run(flags);
  show(report);
  printJson(report);
}

async function runUnnamed(): Promise<void> {
  for (const bench of Object.values(BENCHES)) if (bench.emulated !== true) await runBench(bench, {});
}

/** Emulated devices are removed when this process exits, which a signal that nobody takes would not let it do. */
async function main(args: readonly string[]): Promise<void> {
  const interrupted = interruption();
  try {
    await interrupted.race<unknown>(
      args.length === 0 ? runUnnamed() : assemble().parseAsync(args, { from: 'user' }),
    );
  } finally {
    interrupted.end();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await toItsEnd(() => main(process.argv.slice(2)));
  // Of a bench that failed something may still run.
  if (process.exitCode) process.exit();
}
