/** `tilepipe verify`: is the tiled output the uncut model's? */

import type { Command } from 'commander';
import { parseGrid } from '../../services/core/planning/grid.ts';
import { tileableShare } from '../../services/core/planning/summary.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { EXIT, TilepipeError } from '../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import type { VerifyReport } from '../../services/core/schema/generated/verify-report.ts';
import { readSamples, samplePictures } from '../accuracy/samples.ts';
import { type CodecSurvey, surveyCodec } from '../accuracy/survey.ts';
import { withExecutor } from '../executor.ts';
import { inputRanges, pictureInput, randomInput } from '../input.ts';
import { type ModelFlags, modelOptions, openFlags } from '../model-flags.ts';
import { wholeNumber } from '../numbers.ts';
import { macs, ms, Progress, print, printJson, table } from '../output.ts';
import { modelSettings } from '../settings.ts';
import { verify } from '../verify.ts';

interface Flags extends ModelFlags {
  readonly grid: string;
  readonly input?: string;
  readonly seed: number;
  readonly codec?: 'fp16' | 'uint8';
  readonly samples?: string;
  readonly pinned?: boolean;
  readonly halo?: boolean;
  readonly json?: boolean;
}

export function register(program: Command): void {
  modelOptions(program.command('verify'))
    .description('Run each grid through real services over MQTT and compare with the uncut model')
    .option('--grid <list>', 'grids to try', '1x1,2x1,4x1,2x2,3x3')
    .option('--input <image>', 'a picture instead of seeded noise')
    .option('--seed <n>', 'seed of the noise', wholeNumber, 1)
    .option(
      '--codec <name>',
      'no grids: what fp16 or uint8 loses at every cut, on --samples or --input',
      codecName,
    )
    .option('--samples <folder>', 'with --codec: pictures to measure it on')
    .option('--pinned', 'one worker process per block and tile')
    .option(
      '--halo',
      'tiles stay on their workers, which exchange strips instead of sending all through the merger',
    )
    .option('--json', 'print verify-report.schema.json')
    .addHelpText(
      'after',
      '\nExample:\n  npx tilepipe verify --model yolo.onnx --grid 2x2,3x3\n  npx tilepipe verify --model yolo.onnx --codec uint8 --samples photos',
    )
    .action(async (flags: Flags) => {
      const report = await run(flags);
      if (flags.json) printJson(report);
      else if (report.codec !== undefined) showSurvey(report.codec);
      else show(report);
      process.exitCode = report.pass ? EXIT.ok : EXIT.checkFailed;
    });
}

function codecName(text: string): NonNullable<Flags['codec']> {
  if (text === 'fp16' || text === 'uint8') return text;
  throw new TilepipeError('usage', `--codec "${text}" is neither fp16 nor uint8`);
}

async function run(flags: Flags): Promise<VerifyReport> {
  if (flags.codec !== undefined) return survey(flags, flags.codec);
  if (flags.samples !== undefined) throw new TilepipeError('usage', '--samples goes with --codec');
  const grids = flags.grid.split(',').map((text) => ({ text: text.trim(), grid: parseGrid(text) }));
  if (flags.halo === true && flags.pinned === true)
    throw new TilepipeError('usage', '--halo and --pinned: one of them, a pinned worker keeps no other tile');
  const progress = new Progress();
  progress.say('reading the model');
  const model = await openFlags(flags);
  const { settings } = modelSettings(model);
  const { inputs } = model.graph;
  const tensors =
    flags.input === undefined
      ? inputRanges(settings).map((range) => randomInput(inputs, range, flags.seed))
      : [await pictureInput(flags.input, inputs, settings)];
  const report = await verify({
    model,
    path: flags.model,
    filled: flags.fillSeed !== undefined,
    settings,
    inputs: tensors,
    grids,
    pinned: flags.pinned ?? false,
    halo: flags.halo ?? false,
    progress: (text) => progress.say(text),
  });
  progress.clear();
  return report;
}

async function survey(
  { input, samples: folder, ...flags }: Flags,
  codec: NonNullable<Flags['codec']>,
): Promise<VerifyReport> {
  if ((folder === undefined) === (input === undefined))
    throw new TilepipeError(
      'usage',
      '--codec needs pictures to measure it on: --samples FOLDER or --input FILE',
    );
  const progress = new Progress();
  progress.say('reading the model');
  const model = await openFlags(flags);
  const { settings } = modelSettings(model);
  const files = folder === undefined ? [input as string] : await samplePictures(folder);
  const samples = await readSamples(model, settings, files);
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  const say = (text: string): void => progress.say(text);
  const measured = await withExecutor((executor) =>
    surveyCodec({ executor, blobs }, { model, codec, samples, settings, progress: say }),
  );
  progress.clear();
  const { graph, analysis } = model;
  return {
    model: model.name,
    inputShape: [...(graph.inputs[0]?.shape ?? [])],
    macs: analysis.blockMacs(graph),
    tileableMacShare: tileableShare(graph, analysis),
    cases: [],
    codec: measured,
    whole: [],
    pass: true,
  };
}

function showSurvey({ name, samples, cuts }: CodecSurvey): void {
  const number = (value: number | null): string => (value === null ? '-' : value.toExponential(1));
  const percent = (share: number | undefined): string =>
    share === undefined ? '-' : `${Math.round(100 * share)} %`;
  const rows = cuts.map((cut) => [
    cut.tensor,
    percent(cut.macShare),
    cut.bytes,
    cut.codedBytes,
    cut.deflatedBytes,
    number(cut.relativeRms),
    number(cut.maxRelDiff),
    percent(cut.labels),
  ]);
  print(`${name} on ${samples} ${samples === 1 ? 'picture' : 'pictures'}, one cut at a time:`);
  const heads = ['cut', 'MACs before', 'bytes', name, 'deflated', 'relative rms', 'max rel diff', 'answers'];
  print(table(heads, rows));
}

function show(report: VerifyReport): void {
  const share = (100 * report.tileableMacShare).toFixed(1);
  print(
    `${report.model}: input ${report.inputShape.join('x')}, ${macs(report.macs)} MACs, ${share} % of them tiled`,
  );
  const difference = (value: number | null): string => (value === null ? '-' : value.toExponential(1));
  const kept = report.cases.some(({ keptTasks }) => keptTasks !== undefined);
  const rows = report.cases.map((one) => [
    one.grid,
    one.blocks,
    one.tiles,
    ...(kept ? [one.keptTasks ?? 0] : []),
    difference(one.maxAbsDiff),
    difference(one.maxRelDiff),
    ms(one.milliseconds ?? 0),
    one.pass ? 'ok' : `FAILED${one.reason === undefined ? '' : `: ${one.reason}`}`,
  ]);
  const tasks = kept ? ['kept'] : [];
  print(table(['grid', 'blocks', 'tiles', ...tasks, 'max abs diff', 'max rel diff', 'time', 'result'], rows));
  for (const { node, op, reason } of report.whole) print(`whole: ${op} "${node}": ${reason}`);
}
