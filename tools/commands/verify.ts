/** `tilepipe verify`: is the tiled output the uncut model's? */

import type { Command } from 'commander';
import { parseGrid } from '../../services/core/planning/grid.ts';
import { EXIT } from '../../services/core/runtime/errors.ts';
import type { VerifyReport } from '../../services/core/schema/generated/verify-report.ts';
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
  readonly pinned?: boolean;
  readonly json?: boolean;
}

export function register(program: Command): void {
  modelOptions(program.command('verify'))
    .description('Run each grid through real services over MQTT and compare with the uncut model')
    .option('--grid <list>', 'grids to try', '1x1,2x1,4x1,2x2,3x3')
    .option('--input <image>', 'a picture instead of seeded noise')
    .option('--seed <n>', 'seed of the noise', wholeNumber, 1)
    .option('--pinned', 'one worker process per block and tile')
    .option('--json', 'print verify-report.schema.json')
    .addHelpText('after', '\nExample:\n  npx tilepipe verify --model yolo.onnx --grid 2x2,3x3')
    .action(async (flags: Flags) => {
      const report = await run(flags);
      if (flags.json) printJson(report);
      else show(report);
      process.exitCode = report.pass ? EXIT.ok : EXIT.checkFailed;
    });
}

async function run(flags: Flags): Promise<VerifyReport> {
  const grids = flags.grid.split(',').map((text) => ({ text: text.trim(), grid: parseGrid(text) }));
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
    progress: (text) => progress.say(text),
  });
  progress.clear();
  return report;
}

function show(report: VerifyReport): void {
  const share = (100 * report.tileableMacShare).toFixed(1);
  print(
    `${report.model}: input ${report.inputShape.join('x')}, ${macs(report.macs)} MACs, ${share} % of them tiled`,
  );
  const difference = (value: number | null): string => (value === null ? '-' : value.toExponential(1));
  const rows = report.cases.map((one) => [
    one.grid,
    one.blocks,
    one.tiles,
    difference(one.maxAbsDiff),
    difference(one.maxRelDiff),
    ms(one.milliseconds ?? 0),
    one.pass ? 'ok' : `FAILED${one.reason === undefined ? '' : `: ${one.reason}`}`,
  ]);
  print(table(['grid', 'blocks', 'tiles', 'max abs diff', 'max rel diff', 'time', 'result'], rows));
  for (const { node, op, reason } of report.whole) print(`whole: ${op} "${node}": ${reason}`);
}
