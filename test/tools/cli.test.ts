/** The command as people call it: what it prints, and the code it ends with. */

import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { validator } from '../../services/core/runtime/validate.ts';
import { errorReportSchema } from '../../services/core/schema/generated/error-report.ts';
import { inspectReportSchema } from '../../services/core/schema/generated/inspect-report.ts';
import { modelNoteSchema } from '../../services/core/schema/generated/model-note.ts';
import { runReportSchema } from '../../services/core/schema/generated/run-report.ts';
import { verifyReportSchema } from '../../services/core/schema/generated/verify-report.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { ModelBuilder } from '../support/model-builder.ts';
import { residualNetwork } from '../support/networks.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

function tilepipe(args: readonly string[], env: Record<string, string> = {}) {
  const command = join(packageRoot(), 'tools', 'tilepipe.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    encoding: 'utf8',
    env: { ...process.env, TILEPIPE_CACHE: join(folder.path, 'cache'), TILEPIPE_LOG: 'warn', ...env },
    timeout: 120_000,
  });
  return { status, stdout, stderr };
}

function file(name: string, content: Uint8Array | string): string {
  const path = join(folder.path, name);
  writeFileSync(path, content);
  return path;
}

/** It is waited for ten seconds: begun before the other tests, asked about after them. */
let unreachable: Promise<{ readonly status: number | null; readonly stderr: string }>;
beforeAll(() => {
  const command = join(packageRoot(), 'tools', 'tilepipe.mjs');
  const args = ['send', '--broker', 'mqtt://127.0.0.1:9', '--pipeline', 'x', network];
  const child = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  unreachable = text(child.stderr).then(async (stderr) => ({ status: (await ended)[0], stderr }));
});

const network = file('network.onnx', residualNetwork());
const checkError = validator(errorReportSchema, 'internal');
const last = (text: string): unknown => JSON.parse(text.trim().split('\n').at(-1) ?? '');

describe('what it answers', () => {
  test('verify passes on every grid and prints its schema', () => {
    const { status, stdout } = tilepipe(['verify', '--model', network, '--grid', '1x1,2x2,3x1', '--json']);
    const report = validator<{ pass: boolean; cases: { tiles: number; maxRelDiff: number }[] }>(
      verifyReportSchema,
      'internal',
    )(last(stdout));
    expect(report.pass).toBe(true);
    expect(report.cases.map(({ tiles }) => tiles > 0)).toEqual([false, true, true]);
    expect(status).toBe(0);
  });

  test('verify fails where a block that can be tiled ran whole, and says why', () => {
    const args = ['verify', '--model', network, '--grid', '1x1,70x1', '--json'];
    const { status, stdout } = tilepipe(args);
    const report = last(stdout) as { pass: boolean; cases: { pass: boolean; reason?: string }[] };
    expect(report.cases.map(({ pass }) => pass)).toEqual([true, false]);
    expect(report.cases[1]?.reason).toMatch(/^block \d+ ran whole: .*70 rows/);
    expect(report.pass).toBe(false);
    expect(status).toBe(1);
  });

  test('verify passes where what is left whole has one position only', () => {
    const model = file('gated.onnx', gatedNetwork());
    const { status, stdout } = tilepipe(['verify', '--model', model, '--grid', '2x2', '--json']);
    expect(last(stdout)).toMatchObject({ pass: true, cases: [{ tiles: expect.any(Number) }] });
    expect(status).toBe(0);
  });

  test('verify --pinned gives every tile a process of its own', () => {
    const { status, stdout } = tilepipe([
      'verify',
      '--model',
      network,
      '--grid',
      '2x1',
      '--pinned',
      '--json',
    ]);
    expect(last(stdout)).toMatchObject({ pass: true });
    expect(status).toBe(0);
  });

  test('inspect prints its schema', () => {
    const { status, stdout } = tilepipe(['inspect', '--model', network, '--json']);
    const report = validator<{ tileableMacShare: number }>(inspectReportSchema, 'internal')(last(stdout));
    expect(report.tileableMacShare).toBe(1);
    expect(status).toBe(0);
  });

  test('model add notes digest and licence, and refuses another digest', () => {
    const { status, stdout } = tilepipe(['model', 'add', network, '--licence', 'MIT', '--json']);
    const note = validator<{ sha256: string; licence: string }>(modelNoteSchema, 'internal')(last(stdout));
    expect(note.licence).toBe('MIT');
    expect(status).toBe(0);
    const other = tilepipe(['model', 'add', network, '--sha256', '0'.repeat(64), '--json']);
    expect(other.status).toBe(3);
    expect(last(other.stdout)).toMatchObject({ error: { code: 'digest-mismatch' } });
    // The digest is in the cache by now: nothing is asked of the address, and nothing was removed.
    const address = 'http://127.0.0.1:9/network.onnx';
    const cached = tilepipe(['model', 'add', address, '--sha256', note.sha256, '--json']);
    expect(last(cached.stdout)).toMatchObject({ bytes: residualNetwork().byteLength, source: address });
  });

  test('run detects nothing on a grey picture with the own network, and prints its schema', async () => {
    const { encodeJpeg } = await import('../../tools/demo/jpeg.ts');
    const picture = file('grey.jpg', await encodeJpeg(new Uint8Array(480 * 352 * 3).fill(128), 480, 352));
    const model = join(packageRoot(), 'tools', 'demo', 'scenes.onnx');
    const settings = join(packageRoot(), 'tools', 'demo', 'pipeline.json');
    const { status, stdout } = tilepipe([
      'run',
      '--model',
      model,
      '--pipeline',
      settings,
      '--input',
      picture,
      '--workers',
      '2',
      '--json',
    ]);
    const report = validator<{ results: { ok: boolean; task: string }[] }>(
      runReportSchema,
      'internal',
    )(last(stdout));
    expect(report.results).toMatchObject([{ ok: true, task: 'detect' }]);
    expect(status).toBe(0);
  });
});

test('run takes a picture of more than 4 MiB', async () => {
  const { encodeJpeg } = await import('../../tools/demo/jpeg.ts');
  const [width, height] = [3300, 2300];
  const jpeg = await encodeJpeg(randomBytes(width * height * 3), width, height);
  expect(jpeg.length).toBeGreaterThan(5e6);
  const picture = file('noise.jpg', jpeg);
  const model = join(packageRoot(), 'tools', 'demo', 'scenes.onnx');
  const settings = join(packageRoot(), 'tools', 'demo', 'pipeline.json');
  const args = ['run', '--model', model, '--pipeline', settings, '--input', picture, '--workers', '1'];
  const { status, stdout } = tilepipe([...args, '--json']);
  expect(last(stdout)).toMatchObject({ results: [{ ok: true, image: { width, height } }] });
  expect(status).toBe(0);
});

describe('what it refuses, and with which code', () => {
  const cases: [string, () => string[], number, string][] = [
    ['an unknown command', () => ['frobnicate'], 2, ''],
    ['a missing option', () => ['verify'], 2, ''],
    ['a grid that is none', () => ['verify', '--model', network, '--grid', '2by2', '--json'], 2, 'usage'],
    [
      'a file that is not there',
      () => ['inspect', '--model', join(folder.path, 'none.onnx'), '--json'],
      3,
      'model-unreadable',
    ],
    [
      'a file that is no model',
      () => ['inspect', '--model', file('text.onnx', 'not a model at all'), '--json'],
      3,
      'model-unreadable',
    ],
    [
      'a truncated model',
      () => ['inspect', '--model', file('cut.onnx', residualNetwork().subarray(0, 300)), '--json'],
      3,
      'model-unreadable',
    ],
    [
      'an open shape',
      () => ['inspect', '--model', file('open.onnx', openNetwork()), '--json'],
      3,
      'model-shape',
    ],
    [
      'a graph the executor refuses',
      () => ['verify', '--model', file('refused.onnx', refusedNetwork()), '--grid', '1x1', '--json'],
      3,
      'model-',
    ],
    [
      'a picture that is none',
      () => ['run', '--model', network, '--input', file('no.jpg', 'no picture'), '--workers', '1', '--json'],
      1,
      'image-invalid',
    ],
    [
      'a picture that is not there',
      () => ['run', '--model', network, '--input', join(folder.path, 'none.jpg'), '--json'],
      3,
      'file-unreadable',
    ],
    [
      'an unknown key of the configuration',
      () => ['up', '--config', file('bad.yaml', 'pipelines: [{name: a, modle: b.onnx}]')],
      2,
      'config-invalid',
    ],
    ['a command line that is none, as a document', () => ['verify', '--json'], 2, 'usage'],
    [
      'no worker at all',
      () => ['run', '--model', network, '--input', network, '--workers', '0', '--json'],
      2,
      'usage',
    ],
    [
      'too many workers',
      () => ['run', '--model', network, '--input', network, '--workers', '65', '--json'],
      2,
      'usage',
    ],
    [
      'a threshold that is no number',
      () => ['run', '--model', network, '--input', network, '--threshold', 'NaN', '--json'],
      2,
      'config-invalid',
    ],
    [
      'an answer the outputs do not fit',
      () => ['run', '--model', network, '--input', network, '--task', 'classify', '--json'],
      2,
      'config-invalid',
    ],
    [
      'a folder as a model',
      () => ['model', 'add', folder.path, '--name', 'x', '--json'],
      3,
      'model-unreadable',
    ],
    ['an address that is none', () => ['model', 'add', 'http://', '--json'], 2, 'usage'],
    ['a digest that is none', () => ['model', 'add', network, '--sha256', 'abc', '--json'], 2, 'usage'],
    ['a port that is none', () => ['broker', '--port', '99999'], 2, 'usage'],
  ];
  for (const [what, args, status, code] of cases) {
    test(what, () => {
      const result = tilepipe(args());
      expect(result.stderr + result.stdout).toContain(code);
      expect(result.stderr).not.toMatch(/\n\s+at .+:\d+:\d+/);
      expect(result.status).toBe(status);
      if (args().includes('--json') && status !== 1) checkError(last(result.stdout));
    });
  }

  test('a broker that is not there', async () => {
    const { status, stderr } = await unreachable;
    expect(stderr).toContain('broker-unreachable');
    expect(status).toBe(4);
  });

  test('a worker that ends at its start ends the run, with its own reason before it', () => {
    const env = { TILEPIPE_BROKER_PASSWORD_FILE: join(folder.path, 'no-secret') };
    const args = ['run', '--model', network, '--input', network, '--workers', '1', '--json'];
    const result = tilepipe(args, env);
    expect(last(result.stdout)).toMatchObject({ error: { code: 'no-worker' } });
    expect(result.stderr).toContain('no-secret');
    expect(result.status).toBe(4);
  });

  test('a verify that is interrupted leaves no worker behind', async () => {
    const command = join(packageRoot(), 'tools', 'tilepipe.mjs');
    const child = spawn(
      process.execPath,
      [command, 'verify', '--model', network, '--grid', '2x2', '--json'],
      {
        env: { ...process.env, TILEPIPE_CACHE: join(folder.path, 'cache'), TILEPIPE_LOG: 'info' },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let said = '';
    // Every worker holds this stream: it ends when the last one is gone.
    for await (const chunk of child.stderr) {
      const before = said;
      said += chunk;
      if (!/worker.*online/.test(before) && /worker.*online/.test(said)) child.kill('SIGTERM');
    }
    expect(said).toContain('interrupted');
    if (child.exitCode === null) await once(child, 'exit');
    expect(child.exitCode).toBe(1);
  });

  test('an unwritable cache', () => {
    const notAFolder = file('occupied', '');
    const result = tilepipe(['verify', '--model', network, '--grid', '1x1', '--json'], {
      TILEPIPE_CACHE: notAFolder,
    });
    expect(last(result.stdout)).toMatchObject({ error: { code: 'cache-unwritable' } });
    expect(result.status).toBe(4);
  });

  test('weights that are missing', () => {
    mkdirSync(join(folder.path, 'weights'), { recursive: true });
    const model = file(join('weights', 'external.onnx'), externalNetwork());
    const result = tilepipe(['inspect', '--model', model, '--json']);
    expect(last(result.stdout)).toMatchObject({ error: { code: 'weights-missing' } });
    expect(result.status).toBe(3);
  });
});

/** Squeeze and excite: convolutions of a map of one position between those of a large one. */
function gatedNetwork(): Uint8Array {
  return new ModelBuilder()
    .input('x', [1, 4, 16, 16])
    .random('w', [4, 4, 3, 3])
    .random('g', [4, 4, 1, 1])
    .node('Conv', ['x', 'w'], ['a'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .node('GlobalAveragePool', ['a'], ['mean'])
    .node('Conv', ['mean', 'g'], ['squeezed'], { kernel_shape: [1, 1] })
    .node('Sigmoid', ['squeezed'], ['gate'])
    .node('Mul', ['a', 'gate'], ['gated'])
    .node('Conv', ['gated', 'w'], ['y'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
    .output('y')
    .encode();
}

function openNetwork(): Uint8Array {
  return new ModelBuilder()
    .input('x', [1, 3, 'height', 'width'])
    .node('Relu', ['x'], ['y'])
    .output('y')
    .encode();
}

/** A dilated convolution with SAME_UPPER padding. */
function refusedNetwork(): Uint8Array {
  return new ModelBuilder()
    .input('x', [1, 1, 8, 8])
    .random('w', [1, 1, 3, 3])
    .node('Conv', ['x', 'w'], ['y'], { auto_pad: 'SAME_UPPER', dilations: [2, 2], kernel_shape: [3, 3] })
    .output('y')
    .encode();
}

function externalNetwork(): Uint8Array {
  return new ModelBuilder()
    .input('x', [1, 1, 8, 8])
    .external({
      name: 'w',
      dtype: 'float32',
      shape: [1, 1, 3, 3],
      location: 'missing.bin',
      offset: 0,
      length: 36,
    })
    .node('Conv', ['x', 'w'], ['y'], { kernel_shape: [3, 3] })
    .output('y')
    .encode();
}
