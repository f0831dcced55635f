/** `tilepipe simulate`: what a stream of frames would do on devices that need not exist. */

import type { Command } from 'commander';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import type { SimulationReport } from '../../services/core/schema/generated/simulation.ts';
import { readFleet } from '../devices-file.ts';
import { type ModelFlags, modelOptions, openFlags } from '../model-flags.ts';
import { positive, whole } from '../numbers.ts';
import { bytes, ms, print, printJson, table } from '../output.ts';
import { checkFolder, writeOutput } from '../output-file.ts';
import { simulateModel } from '../simulate/simulate-model.ts';

/** Beyond these a simulation takes minutes, and says no more. */
const MOST_FRAMES = 100_000;
const MOST_DEVICES = 10_000;
/** Rows of the table of resources. */
const MOST_ROWS = 16;

interface Flags extends ModelFlags {
  readonly devices: string;
  readonly objective: string;
  readonly frames?: number;
  readonly inFlight?: number;
  readonly rate?: number;
  readonly scale?: number;
  readonly svg?: string;
  readonly json?: boolean;
}

export function register(program: Command): void {
  modelOptions(program.command('simulate'))
    .description(
      'Simulate a stream of frames through the best plan for some devices, or for many more of them',
    )
    .requiredOption('--devices <file>', 'devices.yaml: the devices and how they are connected')
    .option('--objective <objective>', 'what the plan is made for: latency or throughput', 'throughput')
    .option(
      '--frames <n>',
      'frames of the stream (default: enough for a steady state)',
      whole(1, MOST_FRAMES),
    )
    .option(
      '--in-flight <n>',
      'frames under way at once (default: what the plan is meant for)',
      whole(1, MOST_FRAMES),
    )
    .option(
      '--rate <fps>',
      'frames per second that arrive (default: the next one is always waiting)',
      positive(1e6),
    )
    .option('--scale <n>', 'repeat the devices until there are so many', whole(1, MOST_DEVICES))
    .option('--svg <file>', 'draw the first frames as a timeline')
    .option('--json', 'print simulation.schema.json')
    .addHelpText(
      'after',
      '\nExample:\n  npx tilepipe simulate --model vgg16.onnx --devices devices.yaml --scale 1000 --rate 100',
    )
    .action(async (flags: Flags) => {
      const { objective } = flags;
      if (objective !== 'latency' && objective !== 'throughput')
        throw new TilepipeError('usage', `--objective is latency or throughput, not "${objective}"`);
      if (flags.svg !== undefined) checkFolder(flags.svg);
      const fleet = readFleet(flags.devices);
      const simulated = simulateModel(await openFlags(flags), fleet, { ...flags, objective });
      if (flags.svg !== undefined) writeOutput(flags.svg, simulated.picture());
      if (flags.json) printJson(simulated.report);
      else show(simulated.report);
    });
}

function show({ model, objective, devices, plan, alone, stream }: SimulationReport): void {
  const many = devices.simulated === devices.described ? '' : `, repeated to ${devices.simulated}`;
  print(`${model}: plan for ${objective} on ${devices.described} devices${many}: ${plan.strategy}`);
  const rows = plan.blocks.map(({ mode, parts, devices: able }, at) => [at, mode, parts, able]);
  print(table(['block', 'runs as', 'parts', 'devices'], rows));
  print(`one frame alone: ${ms(alone.latencyMs)} (the planner expects ${ms(alone.predictedMs)})`);
  const offered = stream.rate === null ? 'always one waiting' : `${stream.rate} frames/s`;
  print(`stream (${offered}, ${stream.inFlight} in flight): ${stream.framesPerSecond.toFixed(2)} frames/s`);
  const { median, p90, max } = stream.latency;
  print(`latency: median ${ms(median)}, p90 ${ms(p90)}, max ${ms(max)}`);
  print(`frames: ${stream.finished} finished, ${stream.dropped} dropped of ${stream.offered}`);
  print(`over links: ${bytes(stream.bytesPerFrame)} per frame`);
  const busiest = Object.entries(stream.utilisation).sort(([, a], [, b]) => b - a);
  const shown = busiest
    .slice(0, MOST_ROWS)
    .map(([name, share]) => [
      name,
      `${(100 * share).toFixed(1)} %`,
      name === stream.bottleneck ? 'bottleneck' : '',
    ]);
  print(table(['resource', 'busy', ''], shown));
  if (busiest.length > shown.length) print(`and ${busiest.length - shown.length} less busy`);
}
