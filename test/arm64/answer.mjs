// One frame answered on 64-bit ARM is the frame answered here: `node test/arm64/answer.mjs` on x86-64 runs the same
// drawn scene through Tilepipe natively and under emulation, and compares the network's outputs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from '../../tools/build.mjs';

const TOLERANCE = 1e-4;
const here = fileURLToPath(new URL('.', import.meta.url));
const model = join(here, '..', '..', 'tools', 'demo', 'scenes.onnx');
const folder = mkdtempSync(join(tmpdir(), 'tilepipe-arm64-'));

/** Runs frame.mjs with a cache of its own: what a worker keeps emulated is made for its processor. */
function frame(name, command, ...before) {
  const output = join(folder, name);
  const started = performance.now();
  const run = spawnSync(command, [...before, join(here, 'frame.mjs'), model, picture, output], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { TILEPIPE_LOG: 'warn', ...process.env, TILEPIPE_CACHE: join(folder, `${name}-cache`) },
  });
  if (run.status !== 0)
    throw new Error(`the frame was not answered on ${name} (exit ${run.status ?? run.signal})`);
  const file = readFileSync(output);
  const end = file.indexOf('\n');
  const head = JSON.parse(file.toString('utf8', 0, end));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${head.arch}, Node.js ${head.node}: ${head.tiles} tasks, ${seconds} s\n`);
  return { head, values: new Float32Array(Uint8Array.from(file.subarray(end + 1)).buffer) };
}

let picture;
try {
  await build();
  const { sceneOfSeed } = await import('../../dist/tools/demo/dump.js');
  const { encodeJpeg } = await import('../../dist/tools/demo/jpeg.js');
  const { SCENE_HEIGHT, SCENE_WIDTH } = await import('../../dist/tools/demo/scene.js');
  picture = join(folder, 'scene.jpg');
  const scene = sceneOfSeed(7, SCENE_WIDTH, SCENE_HEIGHT);
  writeFileSync(picture, await encodeJpeg(scene.draw(), SCENE_WIDTH, SCENE_HEIGHT));

  const native = frame('x64', process.execPath);
  const emulated = frame('arm64', join(here, 'run.sh'));
  if (emulated.head.arch !== 'arm64') throw new Error(`the emulated process ran on ${emulated.head.arch}`);
  if (JSON.stringify(emulated.head.outputs) !== JSON.stringify(native.head.outputs)) {
    throw new Error('the outputs have other names, types or shapes');
  }
  let largest = 0;
  let difference = 0;
  for (const [at, value] of native.values.entries()) {
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, Math.abs(value - emulated.values[at]));
  }
  const relative = difference / largest;
  process.stdout.write(`largest difference ${relative.toExponential(1)} of the largest output\n`);
  // Written so that NaN fails.
  if (!(relative <= TOLERANCE)) throw new Error(`the outputs differ by more than ${TOLERANCE}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
