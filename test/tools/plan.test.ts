/** `tilepipe plan` as people call it, and the picture it draws. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import sharp from 'sharp';
import { afterAll, describe, expect, test } from 'vitest';
import { chooseBlocks } from '../../services/core/planning/choose-blocks.ts';
import type { Draft, DraftBlock } from '../../services/core/planning/draft.ts';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { asTilepipeError, type TilepipeError } from '../../services/core/runtime/errors.ts';
import { validator } from '../../services/core/runtime/validate.ts';
import { type Advice, adviceSchema } from '../../services/core/schema/generated/advice.ts';
import { type Catalogue, catalogueSchema } from '../../services/core/schema/generated/catalogue.ts';
import { bandCover } from '../../services/core/tiling/cover.ts';
import { tileCost } from '../../services/core/tiling/tile-block.ts';
import { register } from '../../tools/commands/plan.ts';
import { showCatalogue } from '../../tools/plan/catalogue.ts';
import { planSvg } from '../../tools/plan/plan-svg.ts';
import { deviceColours, escapeText, lines } from '../../tools/plan/svg.ts';
import { fleetOfSpeeds } from '../core/planning/advise/fleets.ts';
import { temporaryFolder } from '../support/cluster.ts';
import { residualNetwork } from '../support/networks.ts';
import { openModel } from '../support/open-model.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

describe('the picture', () => {
  const HOSTILE = `<script>&"'\u0001]]>`;

  async function draw(strategy: Draft['strategy'], tiled: boolean): Promise<string> {
    const { graph, analysis } = await openModel(folder.path, residualNetwork(), { name: 'network' });
    const fleet = fleetOfSpeeds({ speeds: [1, 0.5, 0.25] });
    const devices = fleet.devices.map((device, at) => (at === 1 ? { ...device, id: HOSTILE } : device));
    const ids = devices.map(({ id }) => id);
    const cover = bandCover(
      tiled
        ? [
            { share: 0.6, columns: [2, 1] },
            { share: 0.4, columns: [1] },
          ]
        : [{ share: 1, columns: [1] }],
    );
    const blocks = chooseBlocks(graph, analysis, cover).map(({ block, parts }): DraftBlock => {
      const several = parts.length > 1;
      const late = strategy === 'replicas';
      return {
        block,
        mode: several ? 'tile' : 'whole',
        parts: parts.map((tile, at) => {
          const { macs, bytesIn, bytesOut } = tileCost(graph, tile);
          const work = [{ kind: 'Conv', runs: 1, macs, bytes: 0, weights: 0 }];
          const on = late ? ids : [ids[several ? at : 0] as string];
          return { tile, devices: on, work, bytesIn, bytesOut, activationBytes: 0, weightBytes: 0 };
        }),
      };
    });
    const predicted = {
      latencyMs: 1,
      framesPerSecond: 1,
      bytesPerFrame: 1,
      bottleneck: 'hub',
      memoryBytes: {},
    };
    return planSvg({
      graph,
      analysis,
      fleet: { ...fleet, devices },
      draft: { strategy, blocks, inFlight: 1, predicted },
      title: `A & B <c> ${HOSTILE}`,
      remarks: ['one', 'two'],
      frames: 1,
      timeline: (width) => `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="50"></svg>`,
    });
  }

  test.each([
    ['parallel', true],
    ['one-device', false],
    ['replicas', false],
  ] as const)('%s is well-formed, escaped, and as large as it says', async (strategy, tiled) => {
    const svg = await draw(strategy, tiled);
    expect(svg).not.toContain('<script');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    const { width, height } = await sharp(Buffer.from(svg)).metadata();
    expect(width).toBe(1000);
    expect(svg).toContain(`height="${height}"`);
    await sharp(Buffer.from(svg)).png().toBuffer();
  });

  test('shows every tile with its halo in the colour of its device', async () => {
    const svg = await draw('parallel', true);
    for (const colour of deviceColours(['a', 'b', 'c']).values()) expect(svg).toContain(colour);
    expect(svg.match(/stroke-dasharray/g)?.length ?? 0).toBeGreaterThanOrEqual(3);
  });

  test('further devices get colours of their own', () => {
    const colours = deviceColours(Array.from({ length: 40 }, (_, at) => `d${at}`));
    expect(new Set(colours.values()).size).toBe(40);
  });

  test('text is broken between words and escaped once', () => {
    expect(lines('aa bb cc', 40, 12)).toEqual(['aa bb', 'cc']);
    expect(escapeText('a&<b>')).toBe('a&amp;&lt;b&gt;');
  });
});

describe('the command', () => {
  const network = (): string => file('network.onnx', residualNetwork());
  const checkAdvice = validator<Advice>(adviceSchema, 'internal');
  const last = (text: string): unknown => JSON.parse(text.trim().split('\n').at(-1) ?? '');

  function file(name: string, content: Uint8Array | string): string {
    const path = join(folder.path, name);
    writeFileSync(path, content);
    return path;
  }

  function tilepipe(...args: string[]) {
    const command = join(packageRoot(), 'tools', 'tilepipe.mjs');
    const { status, stdout, stderr } = spawnSync(process.execPath, [command, 'plan', ...args], {
      encoding: 'utf8',
      env: { ...process.env, TILEPIPE_CACHE: join(folder.path, 'cache'), TILEPIPE_LOG: 'warn' },
      timeout: 120_000,
    });
    return { status, stdout, stderr };
  }

  /** The error the command ends with, told without a process of its own. */
  async function refusal(...args: string[]): Promise<TilepipeError> {
    const program = new Command().exitOverride();
    register(program);
    return asTilepipeError(
      await program.parseAsync(['node', 'tilepipe', 'plan', ...args]).then(
        () => undefined,
        (error: unknown) => error,
      ),
    );
  }

  /** Devices with one speed for every operator, the first on the hub. */
  function devicesFile(name: string, mbit: number, memory?: string): string {
    const cost = { run: 0.1, mac: 1e-5, byte: 1e-6, weight: 1e-6 };
    const profile = {
      format: 1,
      device: 'pi-1',
      hardware: { processor: 'none', arch: 'none', threads: 1 },
      executor: 'none',
      estimated: false,
      idleBytes: 60e6,
      taskMs: 0.3,
      byteMs: 1e-6,
      kinds: { other: cost },
    };
    file('pi.json', JSON.stringify(profile));
    const limit = memory === undefined ? '' : `, memory: ${memory}`;
    return file(
      name,
      `hub: {medium: hub}
media: [{name: hub, mbit: ${mbit}}]
devices:
  - {name: pi-1, profile: pi.json${limit}}
  - {name: pi-2, like: pi-1, mbit: ${mbit}${limit}}
  - {name: pi-3, like: pi-1, mbit: ${mbit}${limit}}
`,
    );
  }

  test('prints the schema and draws the picture', async () => {
    const svg = join(folder.path, 'plan.svg');
    const { status, stdout } = tilepipe(
      ...['--model', network(), '--devices', devicesFile('fast.yaml', 1000), '--json', '--svg', svg],
      ...['--what-if', '+1 device', '--what-if', 'link=10kbit'],
    );
    const advice = checkAdvice(last(stdout));
    expect(advice.verdict).toMatchObject({
      spread: true,
      text: expect.stringMatching(/^Spread over 3 devices/),
    });
    expect(advice.whatIfs.map(({ question }) => question)).toEqual(['+1 device', 'link=10kbit']);
    expect(advice.whatIfs[1]?.strategy).toBe('one-device');
    expect(advice.devices.map(({ estimated }) => estimated)).toEqual([false, true, true]);
    expect(await sharp(readFileSync(svg)).metadata()).toMatchObject({ width: 1000 });
    expect(status).toBe(0);
  });

  test('says in words that one device is best, and from where on it is not', () => {
    const { status, stdout } = tilepipe('--model', network(), '--devices', devicesFile('slow.yaml', 0.05));
    expect(stdout).toMatch(/^network: Stay on one device: \d+ ms a frame on pi-1; the best on several/);
    expect(stdout).toMatch(
      /Break-even: Below [\d.]+ [kM]bit\/s stay on one device; the links have 50 kbit\/s\./,
    );
    expect(stdout).toContain('estimated profile');
    expect(status).toBe(0);
  });

  test('a catalogue', () => {
    const models = join(folder.path, 'models');
    mkdirSync(models);
    file(join('models', 'good.onnx'), residualNetwork());
    file(join('models', 'torn.onnx'), residualNetwork().subarray(0, 200));
    const devices = devicesFile('fast.yaml', 1000);
    const args = ['--catalogue', models, '--devices', devices, '--deadline', '5s'];
    const json = tilepipe(...args, '--json');
    const catalogue = validator<Catalogue>(catalogueSchema, 'internal')(last(json.stdout));
    expect(catalogue.models).toMatchObject([{ file: 'good.onnx', answer: 'one-device' }]);
    expect(catalogue.skipped).toMatchObject([{ file: 'torn.onnx' }]);
    const words = showCatalogue(catalogue);
    expect(words).toMatch(/good\.onnx.*in time on one device/);
    expect(words).toMatch(/\nskipped torn\.onnx: /);
    expect(json.status).toBe(0);
  });

  test.each([
    [
      'a question nobody understands',
      ['--what-if', 'more devices'],
      'usage',
      /none of: \+N devices; -N devices; link=/,
    ],
    [
      'a question about a device that is not there',
      ['--what-if', 'cpu=2 on pi-9'],
      'usage',
      /no device "pi-9"/,
    ],
    ['an objective that is none', ['--objective', 'speed'], 'usage', /neither latency nor throughput/],
    ['an accuracy that is none', ['--accuracy', 'good'], 'usage', /neither exact nor budgeted/],
    ['codecs without frames to check them on', ['--accuracy', 'budgeted'], 'usage', /needs --samples/],
    ['a budget that nothing uses', ['--budget-rms', '0.1'], 'usage', /goes with --accuracy budgeted/],
    ['frames under way where one alone counts', ['--in-flight', '3'], 'usage', /goes with --objective thr/],
    ['a budget that is none', ['--accuracy', 'budgeted', '--budget-rms', '-1'], 'usage', /share from 0 to 1/],
    ['pixels that are neither', ['--pixels', 'maybe'], 'usage', /neither auto, on nor off/],
    [
      'sample frames that are not there',
      ['--samples', '/nowhere'],
      'config-invalid',
      /\/nowhere cannot be read/,
    ],
    ['a size that is none', ['--memory', '64'], 'usage', /no size: write 64MB/],
    ['memory that nothing fits', ['--memory', '1KB'], 'plan-impossible', /pi-1/],
    ['a deadline without a catalogue', ['--deadline', '5ms'], 'usage', /--catalogue/],
    ['a picture that cannot be written', ['--svg', '/dev/null/plan.svg'], 'usage', /cannot write/],
  ])('refuses %s', async (_, args, code, message) => {
    const devices = devicesFile('fast.yaml', 1000);
    const error = await refusal('--model', network(), '--devices', devices, ...args);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test.each([
    ['neither model nor catalogue', [], /--model FILE, or --catalogue DIR/],
    ['both', ['--model', 'x.onnx', '--catalogue', 'x'], /exclude each other/],
    ['no deadline', ['--catalogue', 'x'], /needs --deadline/],
    ['a time that is none', ['--catalogue', 'x', '--deadline', '500'], /not a time like 500ms/],
    [
      'a picture of a catalogue',
      ['--catalogue', 'x', '--deadline', '5s', '--svg', 'x.svg'],
      /go with --model/,
    ],
    [
      'a stream by a catalogue',
      ['--catalogue', 'x', '--deadline', '5s', '--in-flight', '3'],
      /go with --model/,
    ],
  ])('refuses %s', async (_, args, message) => {
    expect(await refusal(...args)).toMatchObject({ code: 'usage', message: expect.stringMatching(message) });
  });

  test('refuses a folder and a devices file that are not there, and a folder without models', async () => {
    const none = join(folder.path, 'none');
    const devices = devicesFile('fast.yaml', 1000);
    const gone = await refusal('--catalogue', none, '--devices', devices, '--deadline', '5ms');
    expect(gone).toMatchObject({ code: 'usage', message: expect.stringContaining('cannot read the folder') });
    expect(await refusal('--model', network(), '--devices', none)).toMatchObject({ code: 'config-invalid' });
    mkdirSync(none);
    const empty = await refusal('--catalogue', none, '--devices', devices, '--deadline', '5ms');
    expect(empty).toMatchObject({
      code: 'model-unreadable',
      message: expect.stringContaining('no file *.onnx'),
    });
  });
});
