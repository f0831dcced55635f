/** `tilepipe plan`: should a model be spread over these devices, how, and what will that give? */

import { stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { OpenedModel } from '../../services/controller/prepare.ts';
import { adviceOf } from '../../services/core/planning/advise/advice-document.ts';
import { type Advice, advise } from '../../services/core/planning/advise/advise.ts';
import type { Wanted } from '../../services/core/planning/advise/alternatives.ts';
import { limited } from '../../services/core/planning/advise/changed-fleet.ts';
import { parseWhatIf, WHAT_IF_FORMS, type WhatIf } from '../../services/core/planning/advise/what-if.ts';
import type { Fleet } from '../../services/core/planning/cost/fleet.ts';
import { simulate } from '../../services/core/planning/simulate/simulate.ts';
import { parseSize } from '../../services/core/planning/units.ts';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { DEFAULT_BUDGET } from '../accuracy/budget.ts';
import { type ModelFlags, openFlags, openingOptions } from '../model-flags.ts';
import { share, threadCount, whole } from '../numbers.ts';
import { Progress, print, printJson } from '../output.ts';
import { readCatalogue, showCatalogue } from '../plan/catalogue.ts';
import { fleetFor } from '../plan/fleet-for.ts';
import { chooseInput, type PixelChoice, pixelChoice } from '../plan/pixel-choice.ts';
import { planSvg } from '../plan/plan-svg.ts';
import { showAdvice } from '../plan/show-advice.ts';
import { UNMEASURED, withinBudget } from '../plan/within-budget.ts';
import { timelineSvg } from '../simulate/timeline-svg.ts';

interface Flags extends Partial<ModelFlags> {
  readonly devices?: string;
  readonly objective: 'latency' | 'throughput';
  readonly threads: number;
  readonly memory?: number;
  readonly inFlight?: number;
  readonly whatIf?: readonly WhatIf[];
  readonly accuracy: 'exact' | 'budgeted';
  readonly samples?: string;
  readonly budgetRms?: number;
  readonly pixels: PixelChoice;
  readonly svg?: string;
  readonly catalogue?: string;
  readonly deadline?: number;
  readonly json?: boolean;
}

/** Frames under way that a plan may be asked for. */
const MOST_IN_FLIGHT = 1024;

export function register(program: Command): void {
  openingOptions(program.command('plan').option('--model <file>', 'ONNX file'))
    .description('Say whether spreading a model over devices pays, how, and what it will give')
    .option('--devices <file>', 'devices.yaml with the profiles of the devices; without it, this machine')
    .option('--threads <n>', 'without --devices: threads of one run', threadCount, 1)
    .option('--objective <name>', 'latency of one frame, or throughput of a stream', objective, 'latency')
    .option(
      '--memory <size>',
      'most memory for weights and activations on a device, as in 64MB; the worker itself is not in it',
      (text: string) => parseSize(text),
    )
    .option('--in-flight <n>', 'frames under way at once, for throughput', whole(1, MOST_IN_FLIGHT))
    .option(
      '--what-if <change>',
      `ask about other devices (repeatable): ${WHAT_IF_FORMS.join('; ')}; a comma joins several`,
      question,
    )
    .option(
      '--accuracy <class>',
      'exact, or budgeted: codecs may change values, as far as --samples show little loss',
      accuracyClass,
      'exact',
    )
    .option(
      '--samples <folder>',
      'pictures as the cameras will send them: how far they deflate is measured, and with --accuracy budgeted what codecs lose',
    )
    .option(
      '--budget-rms <share>',
      'with --accuracy budgeted: most relative error of an output, 0.02 by default; 0: none',
      share,
    )
    .option('--pixels <choice>', 'pictures as pixels: auto weighs both, on, off', pixelChoice, 'auto')
    .option('--svg <file>', 'draw the plan: tiles, blocks, timeline')
    .option('--catalogue <folder>', 'say for every .onnx file of a folder whether it is answered in time')
    .option('--deadline <time>', 'with --catalogue: most time a frame may take, as in 500ms', duration)
    .option('--json', 'print advice.schema.json; with --catalogue catalogue.schema.json')
    .addHelpText(
      'after',
      '\nExamples:\n  npx tilepipe plan --model yolo.onnx --devices devices.yaml --what-if "+1 device" --what-if link=100mbit\n  npx tilepipe plan --catalogue models --devices devices.yaml --deadline 500ms',
    )
    .action((flags: Flags) => (flags.catalogue === undefined ? one(flags) : several(flags)));
}

function objective(text: string): Flags['objective'] {
  if (text === 'latency' || text === 'throughput') return text;
  throw new TilepipeError('usage', `objective "${text}" is neither latency nor throughput`);
}

function accuracyClass(text: string): Flags['accuracy'] {
  if (text === 'exact' || text === 'budgeted') return text;
  throw new TilepipeError('usage', `accuracy "${text}" is neither exact nor budgeted`);
}

function question(text: string, all: readonly WhatIf[] = []): WhatIf[] {
  return [...all, parseWhatIf(text)];
}

/** Milliseconds of `500ms` or `2s`. */
function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s)$/.exec(text.trim());
  const value = Number(match?.[1]) * (match?.[2] === 's' ? 1000 : 1);
  if (value > 0) return value;
  throw new TilepipeError('usage', `"${text}" is not a time like 500ms or 2s`);
}

async function one(flags: Flags): Promise<void> {
  const { model: file } = flags;
  if (file === undefined)
    throw new TilepipeError('usage', 'say which model: --model FILE, or --catalogue DIR');
  if (flags.deadline !== undefined) throw new TilepipeError('usage', '--deadline goes with --catalogue');
  checkAccuracy(flags);
  if (flags.inFlight !== undefined && flags.objective === 'latency')
    throw new TilepipeError('usage', '--in-flight goes with --objective throughput');
  if (flags.svg !== undefined) await checkFolder(flags.svg);
  const progress = new Progress();
  progress.say('reading the model');
  const opened = await openFlags({ ...flags, model: file });
  const fleet = await fleetOfFlags(flags, opened, progress);
  const wanted: Wanted = {
    objective: flags.objective,
    ...(flags.inFlight === undefined ? {} : { inFlight: flags.inFlight }),
  };
  progress.say('searching');
  const hoped = flags.accuracy === 'budgeted' ? { ...wanted, wire: UNMEASURED } : wanted;
  const { model, space, input, why } = chooseInput(opened, fleet, hoped, flags.pixels);
  const measured =
    flags.samples === undefined
      ? undefined
      : await withinBudget({
          model,
          space,
          fleet,
          wanted,
          samples: flags.samples,
          lossy: flags.accuracy === 'budgeted',
          budget: { ...DEFAULT_BUDGET, relativeRms: flags.budgetRms ?? DEFAULT_BUDGET.relativeRms },
          progress: (said) => progress.say(said),
        });
  progress.say('searching');
  const wire = measured?.wire;
  const options = { ...wanted, ...(wire === undefined ? {} : { wire }) };
  const advice = advise({ space, fleet, ...options, whatIfs: flags.whatIf ?? [] });
  const pixels = why?.(wire);
  progress.clear();
  if (flags.svg !== undefined) await writeSvg(flags.svg, model, advice);
  const document = adviceOf(advice, model, {
    input,
    ...(pixels === undefined ? {} : { pixels }),
    accuracy: { class: flags.accuracy, ...measured?.loss },
  });
  if (flags.json) printJson(document);
  else showAdvice(document);
}

/** Nobody knows what a codec loses without frames to look at. */
function checkAccuracy({ accuracy, samples, budgetRms }: Flags): void {
  if (accuracy === 'budgeted' && samples === undefined)
    throw new TilepipeError(
      'usage',
      '--accuracy budgeted needs --samples FOLDER: what codecs lose is measured on pictures as the cameras will send them',
    );
  if (accuracy === 'exact' && budgetRms !== undefined)
    throw new TilepipeError('usage', '--budget-rms goes with --accuracy budgeted');
}

/** Before minutes of work, not after them. */
async function checkFolder(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true)
    throw new TilepipeError('usage', `cannot write ${path}: ${folder} is no folder`);
}

async function fleetOfFlags(
  flags: Flags,
  model: OpenedModel | undefined,
  progress: Progress,
): Promise<Fleet> {
  const { devices: file, threads } = flags;
  const fleet = await fleetFor({ devices: file, model, threads, progress: (text) => progress.say(text) });
  const { memory } = flags;
  if (memory === undefined) return fleet;
  const devices = fleet.devices.map((device) => {
    const asked = limited(device, memory);
    return asked.memoryBytes < device.memoryBytes ? asked : device;
  });
  return { ...fleet, devices };
}

/** Frames in a timeline: more would be bars too thin to see. */
const DRAWN = 12;

async function writeSvg(path: string, model: OpenedModel, advice: Advice): Promise<void> {
  const { chosen, fleet, verdict, bottleneck, breakEven } = advice;
  // What a plan for a stream does is only seen in one.
  const frames = chosen.inFlight === 1 ? 1 : Math.min(DRAWN, 2 * chosen.inFlight);
  const options = { frames, inFlight: chosen.inFlight, binding: 'late', timeline: true } as const;
  const simulated = simulate(chosen.blocks, fleet, options);
  const svg = planSvg({
    graph: model.graph,
    analysis: model.analysis,
    fleet,
    draft: chosen,
    title: `${model.name}: ${verdict}`,
    remarks: [bottleneck.text, breakEven.text],
    timeline: (width, colours) => timelineSvg(simulated, { width, colours }),
    frames,
  });
  try {
    await writeFile(path, svg);
  } catch (error) {
    throw new TilepipeError('usage', `cannot write ${path}: ${(error as Error).message}`, { cause: error });
  }
}

async function several(flags: Flags): Promise<void> {
  const { catalogue = '', deadline } = flags;
  if (flags.model !== undefined)
    throw new TilepipeError('usage', '--catalogue and --model exclude each other');
  if (deadline === undefined) throw new TilepipeError('usage', '--catalogue needs --deadline, as in 500ms');
  if (flags.svg !== undefined || flags.whatIf !== undefined || flags.samples !== undefined)
    throw new TilepipeError('usage', '--svg, --what-if and --samples go with --model');
  if (flags.objective !== 'latency' || flags.inFlight !== undefined)
    throw new TilepipeError(
      'usage',
      '--catalogue is about one frame: --objective and --in-flight go with --model',
    );
  checkAccuracy(flags);
  const progress = new Progress();
  const document = await readCatalogue({
    folder: catalogue,
    deadlineMs: deadline,
    fleet: await fleetOfFlags(flags, undefined, progress),
    open: (file) => openFlags({ ...flags, model: file }),
    progress: (text) => progress.say(text),
  });
  progress.clear();
  if (flags.json) printJson(document);
  else print(showCatalogue(document));
}
