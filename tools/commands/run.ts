/** `tilepipe run`: one model, one picture, this machine: a whole Tilepipe for as long as it takes. */

import type { Command } from 'commander';
import { preparePlan } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { parseGrid } from '../../services/core/planning/grid.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { EXIT } from '../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import type { Pipeline } from '../../services/core/schema/generated/pipeline.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Result } from '../../services/core/schema/generated/result.ts';
import type { RunReport } from '../../services/core/schema/generated/run-report.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { Client } from '../client.ts';
import { PICTURE_BYTES, readPicture } from '../input.ts';
import { interruption } from '../interrupt.ts';
import { LocalCluster } from '../local-cluster.ts';
import { type ModelFlags, modelOptions, openFlags } from '../model-flags.ts';
import { threadCount, workerCount } from '../numbers.ts';
import { bytes, ms, Progress, print, printJson, table } from '../output.ts';
import { checkPipeline, readPipelineFile } from '../pipeline-file.ts';
import { answerText } from '../result-line.ts';
import { modelSettings } from '../settings.ts';

interface Flags extends ModelFlags {
  readonly input: readonly string[];
  readonly workers: number;
  readonly threads: number;
  readonly grid: string;
  readonly task?: string;
  readonly threshold?: string;
  readonly labels?: string;
  readonly pipeline?: string;
  readonly json?: boolean;
}

const PIPELINE = 'run';
const FRAME_MS = 120_000;
const FRAMES = { maxInFlight: 4, maxWaiting: 1024, deadlineMs: FRAME_MS, attempts: 3 } as const;

export function register(program: Command): void {
  modelOptions(program.command('run'))
    .description('Cut a model, run pictures through it over MQTT on this machine, print the answers')
    .requiredOption('--input <image...>', 'JPEG, PNG or WebP files')
    .option('--workers <n>', 'worker processes', workerCount, 4)
    .option('--threads <n>', 'threads per worker', threadCount, 1)
    .option('--grid <RxC>', 'rows x columns of tiles', '2x2')
    .option('--task <name>', 'classify, detect or tensors, where it is not recognised')
    .option('--threshold <score>', 'lowest score of a detection')
    .option('--labels <name>', 'coco, imagenet, face or none')
    .option('--pipeline <file>', 'JSON file with preprocess and answer settings (pipeline.schema.json)')
    .option('--json', 'print run-report.schema.json')
    .addHelpText(
      'after',
      '\nExample:\n  npx tilepipe run --model yolo.onnx --input photo.jpg --workers 4 --grid 2x2',
    )
    .action(async (flags: Flags) => {
      const report = await run(flags);
      if (flags.json) printJson(report);
      process.exitCode = report.results.every(({ ok }) => ok) ? EXIT.ok : EXIT.checkFailed;
    });
}

async function run(flags: Flags): Promise<RunReport> {
  const progress = new Progress();
  const grid = parseGrid(flags.grid);
  const pictures = await Promise.all(flags.input.map(readPicture));
  const configured = await configuration(flags);
  progress.say('reading the model');
  const model = await openFlags(flags);
  const { settings, because } = modelSettings(model, configured);
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  const cluster = new LocalCluster({ blobs, workers: flags.workers, threads: flags.threads });
  const interrupted = interruption();
  const runAll = async (): Promise<RunReport> => {
    progress.say('cutting');
    const prepared = await preparePlan(model, PIPELINE, gridCover(grid.rows, grid.columns), blobs);
    progress.say(`${flags.workers} workers are loading ${prepared.plan.models.length} sub-models`);
    await cluster.deploy(prepared, { ...settings }, FRAMES);
    const channels = new Connections({
      ...cluster.address,
      service: 'run',
      maxMessageBytes: PICTURE_BYTES,
    });
    await channels.start();
    const client = new Client(channels, PIPELINE, 'run');
    await client.start();
    const results: Result[] = [];
    if (!flags.json) print(`${model.name}: ${because}`);
    for (const [at, picture] of pictures.entries()) {
      progress.say(`picture ${at + 1} of ${pictures.length}`);
      const { result } = await client.send(picture, FRAME_MS);
      results.push(result);
      progress.clear();
      if (!flags.json) show(flags.input[at] ?? '', result, prepared.plan);
    }
    await client.stop();
    await channels.stop();
    return report(flags, model.name, prepared.digest, prepared.plan, results);
  };
  try {
    // Started whole even when a signal comes, so that everything it started is known when it is stopped.
    await cluster.start();
    return await interrupted.race(runAll());
  } finally {
    progress.clear();
    await cluster.stop();
    interrupted.end();
  }
}

/** Settings of the file, overridden by the flags. */
async function configuration(flags: Flags): Promise<Pipeline> {
  const file = flags.pipeline === undefined ? {} : await readPipelineFile(flags.pipeline);
  const answer = {
    ...(flags.task === undefined ? {} : { task: flags.task }),
    ...(flags.threshold === undefined ? {} : { threshold: asNumber(flags.threshold) }),
    ...(flags.labels === undefined ? {} : { labels: flags.labels }),
  };
  return checkPipeline({ ...file, answer: { ...file.answer, ...answer } }, 'settings');
}

/** Text that is no number stays what it is, so that the schema names it. */
function asNumber(text: string): unknown {
  return text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
}

function report(
  flags: Flags,
  model: string,
  plan: string,
  { blocks, tasks }: Plan,
  results: readonly Result[],
): RunReport {
  let slowest: RunReport['slowestTile'];
  for (const { slowestTask = '', slowestWorker = '', slowestTileMs = 0 } of results.flatMap(
    ({ timing }) => timing?.blocks ?? [],
  )) {
    if (slowest === undefined || slowestTileMs > slowest.ms)
      slowest = { task: slowestTask, worker: slowestWorker, ms: slowestTileMs };
  }
  return {
    model,
    plan,
    grid: flags.grid,
    workers: flags.workers,
    blocks: blocks.length,
    tiles: tasks.filter(({ shape }) => shape === 'tile').length,
    bytesMoved: results.reduce((sum, result) => sum + (result.bytes?.moved ?? 0), 0),
    ...(slowest === undefined ? {} : { slowestTile: slowest }),
    results: [...results],
  };
}

function show(picture: string, result: Result, plan: Plan): void {
  if (!result.ok) {
    print(`${picture}: ${result.error?.code}: ${result.error?.message}`);
    return;
  }
  const { detections, timing } = result;
  print(`\n${picture}: ${answerText(result)}`);
  if (detections !== undefined && detections.length > 0) {
    const boxes = detections
      .slice(0, 20)
      .map(({ label, score, box }) => [
        label,
        score.toFixed(2),
        `${Math.round(box.x)}, ${Math.round(box.y)}`,
        `${Math.round(box.width)} x ${Math.round(box.height)}`,
      ]);
    print(table(['what', 'score', 'left, top', 'width x height'], boxes));
  }
  const rows = (timing?.blocks ?? []).map((block) => {
    const { nodes = 0 } = plan.blocks.find(({ id }) => id === block.block) ?? {};
    const slowest = block.slowestTask
      ? `${block.slowestTask} on ${block.slowestWorker}, ${ms(block.slowestTileMs ?? 0)}`
      : '-';
    return [block.block, block.kind, nodes, block.tiles, ms(block.ms), slowest];
  });
  print(table(['block', 'kind', 'nodes', 'tiles', 'time', 'slowest tile'], rows));
  print(`${ms(timing?.totalMs ?? 0)} in all, ${bytes(result.bytes?.moved ?? 0)} moved`);
}
