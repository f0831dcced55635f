/** `tilepipe zoo`: the networks of the papers in their true topologies, with seeded weights. */

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { TilepipeError } from '../../services/core/runtime/errors.ts';
import { cacheFolder, makeFolder } from '../../services/core/runtime/paths.ts';
import type { ZooReport } from '../../services/core/schema/generated/zoo-report.ts';
import { interruption } from '../interrupt.ts';
import { whole } from '../numbers.ts';
import { bytes, ms, Progress, print, printJson, table } from '../output.ts';
import { NETWORKS, type ZooNetwork } from '../zoo/networks.ts';
import { writeNetwork } from '../zoo/write-network.ts';

interface Flags {
  readonly output?: string;
  readonly seed: number;
  readonly json?: boolean;
}

const MOST_SEED = 2 ** 32 - 1;

export function register(program: Command): void {
  program
    .command('zoo')
    .description('Write VGG-16, YOLOv2, MobileNetV2 and ResNet-50 with seeded weights, for measurements')
    .argument('[name...]', `networks to write: ${NETWORKS.map(({ name }) => name).join(', ')} (default: all)`)
    .option('--output <dir>', 'folder to write to (default: the model folder)')
    .option('--seed <n>', 'seed of the weights', whole(0, MOST_SEED), 1)
    .option('--json', 'print zoo-report.schema.json')
    .addHelpText('after', '\nExample:\n  npx tilepipe zoo mobilenetv2 resnet50 --output models')
    .action(async (names: readonly string[], flags: Flags) => {
      const report = await write(names, flags);
      if (flags.json) printJson(report);
      else show(report);
    });
}

async function write(names: readonly string[], { output, seed }: Flags): Promise<ZooReport> {
  const networks = chosen(names);
  const folder = output === undefined ? cacheFolder('models') : made(resolve(output));
  const interrupt = interruption();
  const stop = new AbortController();
  const writing = writeAll(networks, folder, seed, stop.signal);
  try {
    return { seed, models: await interrupt.race(writing) };
  } catch (error) {
    stop.abort(error);
    // Half a gigabyte of a part is not left behind.
    await writing.catch(() => undefined);
    throw error;
  } finally {
    interrupt.end();
  }
}

async function writeAll(
  networks: readonly ZooNetwork[],
  folder: string,
  seed: number,
  signal: AbortSignal,
): Promise<ZooReport['models']> {
  const shown = new Progress();
  const models: ZooReport['models'] = [];
  try {
    for (const network of networks) {
      const { name, summary } = network;
      const before = performance.now();
      const progress = (done: number, total: number) =>
        shown.say(`${name}: ${bytes(done)} of ${bytes(total)}`);
      const result = await writeNetwork(network, folder, { seed, signal, progress });
      models.push({ name, summary, ...result, ms: Math.round(performance.now() - before) });
    }
  } finally {
    shown.clear();
  }
  return models;
}

function chosen(names: readonly string[]): readonly ZooNetwork[] {
  if (names.length === 0) return NETWORKS;
  return [...new Set(names)].map((name) => {
    const found = NETWORKS.find((network) => network.name === name);
    if (found !== undefined) return found;
    const known = NETWORKS.map((network) => network.name).join(', ');
    throw new TilepipeError('usage', `the zoo has no "${name}"; it has ${known}`);
  });
}

function made(folder: string): string {
  try {
    makeFolder(folder);
  } catch (error) {
    throw new TilepipeError('usage', `cannot write to ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return folder;
}

function show({ models }: ZooReport): void {
  const rows = models.map(({ name, parameters, bytes: size, file, written, ms: took }) => [
    name,
    `${(parameters / 1e6).toFixed(2)} M`,
    bytes(size),
    written ? ms(took) : 'there already',
    file,
  ]);
  print(table(['network', 'parameters', 'weights', 'written in', 'file'], rows));
}
