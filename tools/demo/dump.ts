/**
 * Writes drawn scenes to standard output for the training script, so that drawing exists once.
 *
 * node dist/tools/demo/dump.js --count N [--seed S] [--width W] [--height H]
 *
 * Little endian. First 16 bytes: the text `TPSC`, then count, width and height as uint32. Then for each of the
 * `count` scenes, of seeds S, S+1, ...: the number of objects as uint32; for each object its class index as uint32
 * and left, top, right, bottom and visible share as five float32; then 3 * W * H bytes of RGB, rows from the top.
 */

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { asTilepipeError, TilepipeError } from '../../services/core/runtime/errors.ts';
import { SCENE_HEIGHT, SCENE_WIDTH, Scene } from './scene.ts';
import { LABELS } from './shapes.ts';

const OBJECT_BYTES = 24;

/** Scenes are written some way into their motion, at a moment that the seed decides. */
const MOMENTS = 90;

/** The head of a dump. */
export function dumpHead(count: number, width: number, height: number): Buffer {
  const head = Buffer.alloc(16);
  head.write('TPSC', 0, 'latin1');
  head.writeUInt32LE(count, 4);
  head.writeUInt32LE(width, 8);
  head.writeUInt32LE(height, 12);
  return head;
}

/** The scene that stands for a seed in dumps, drawn at its moment. */
export function sceneOfSeed(seed: number, width: number, height: number): Scene {
  const scene = new Scene({ seed, width, height });
  for (let step = (seed * 37) % MOMENTS; step > 0; step--) scene.step();
  return scene;
}

/** One scene of a dump. */
export function dumpScene(scene: Scene): Buffer {
  const objects = scene.objects();
  const truth = Buffer.alloc(4 + OBJECT_BYTES * objects.length);
  truth.writeUInt32LE(objects.length, 0);
  for (const [index, { label, box, visible }] of objects.entries()) {
    let at = truth.writeUInt32LE(LABELS.indexOf(label), 4 + OBJECT_BYTES * index);
    for (const value of [...box, visible]) at = truth.writeFloatLE(value, at);
  }
  return Buffer.concat([truth, scene.draw()]);
}

function natural(option: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new TilepipeError('usage', `--${option} takes a whole number, not "${text}"`);
  }
  return value;
}

const OPTIONS = {
  count: { type: 'string', default: '1' },
  seed: { type: 'string', default: '1' },
  width: { type: 'string', default: String(SCENE_WIDTH) },
  height: { type: 'string', default: String(SCENE_HEIGHT) },
} as const;

function parse(): { [Option in keyof typeof OPTIONS]: string } {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    throw new TilepipeError('usage', (error as Error).message, { cause: error });
  }
}

async function main(): Promise<void> {
  const values = parse();
  const count = natural('count', values.count);
  const seed = natural('seed', values.seed);
  const width = natural('width', values.width);
  const height = natural('height', values.height);
  // The reader may close the pipe when it has enough.
  process.stdout.on('error', () => process.exit(0));
  process.stdout.write(dumpHead(count, width, height));
  for (let index = 0; index < count; index++) {
    const scene = dumpScene(sceneOfSeed(seed + index, width, height));
    if (!process.stdout.write(scene)) await once(process.stdout, 'drain');
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main().catch((error: unknown) => {
    const { message, exit } = asTilepipeError(error);
    process.stderr.write(`${message}\n`);
    process.exitCode = exit;
  });
}
