/** `tilepipe demo` (`npm start`): a drawn scene as the camera, the project's own detector, results as they come. */

import { join } from 'node:path';
import type { Command } from 'commander';
import { preparePlan } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { parseGrid } from '../../services/core/planning/grid.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { EXIT, TilepipeError } from '../../services/core/runtime/errors.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import type { Result } from '../../services/core/schema/generated/result.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { type Camera, openCamera } from '../demo/open-camera.ts';
import { type Interruption, interruption } from '../interrupt.ts';
import { LocalCluster } from '../local-cluster.ts';
import { openFlags } from '../model-flags.ts';
import { portNumber, positive, whole, workerCount } from '../numbers.ts';
import { bytes, ms, Progress, print, printJson } from '../output.ts';
import { readPipelineFile } from '../pipeline-file.ts';
import { answerText, readResult } from '../result-line.ts';
import { modelSettings } from '../settings.ts';

interface Flags {
  readonly model?: string;
  readonly shape?: readonly string[];
  readonly camera?: string;
  readonly pipeline?: string;
  readonly workers: number;
  readonly grid: string;
  readonly fps: number;
  readonly frames?: number;
  readonly port: number;
  readonly json?: boolean;
}

const PIPELINE = 'demo';
const SOURCE = 'camera';
const MOST_FPS = 240;
const FRAMES = { maxInFlight: 3, maxWaiting: 2, deadlineMs: 10_000, attempts: 3 } as const;
const OWN_MODEL = join('tools', 'demo', 'scenes.onnx');
const OWN_PIPELINE = join('tools', 'demo', 'pipeline.json');

export function register(program: Command): void {
  program
    .command('demo')
    .description('Run the drawn scene through the detector on this machine and print live results')
    .option('--model <file>', 'another ONNX model')
    .option('--shape <NAME=1x3xHxW...>', 'shape of an input whose dimensions are open')
    .option('--pipeline <file>', 'its preprocess and answer settings (pipeline.schema.json)')
    .option('--camera <path>', 'a picture, or a folder of pictures, instead of the drawn scene')
    .option('--workers <n>', 'worker processes', workerCount, 2)
    .option('--grid <RxC>', 'rows x columns of tiles', '2x2')
    .option('--fps <n>', 'frames per second the camera sends', positive(MOST_FPS), 4)
    .option('--frames <n>', 'end after so many results', whole(1))
    .option('--port <port>', 'port of the embedded broker (0: any free one)', portNumber, 0)
    .option('--json', 'print one result.schema.json document per line')
    .addHelpText('after', '\nExample:\n  npm start -- --grid 3x2 --workers 3')
    .action(async (flags: Flags) => {
      process.exitCode = await demo(flags);
    });
}

async function demo(flags: Flags): Promise<number> {
  const say = flags.json ? () => {} : print;
  const progress = new Progress();
  const grid = parseGrid(flags.grid);
  const own = flags.model === undefined;
  const path = flags.model ?? join(packageRoot(), OWN_MODEL);
  const configuration = flags.pipeline ?? (own ? join(packageRoot(), OWN_PIPELINE) : undefined);
  const configured = configuration === undefined ? {} : await readPipelineFile(configuration);
  const model = await openFlags({
    model: path,
    ...(flags.shape === undefined ? {} : { shape: flags.shape }),
  });
  const { settings } = modelSettings(model, configured);
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  const cluster = new LocalCluster({ blobs, workers: flags.workers, port: flags.port });
  let camera: Camera | undefined;
  const interrupted = interruption();
  try {
    await cluster.start();
    progress.say(`starting ${flags.workers} workers`);
    const prepared = await interrupted.race(
      preparePlan(model, PIPELINE, gridCover(grid.rows, grid.columns), blobs),
    );
    await interrupted.race(cluster.deploy(prepared, { ...settings }, FRAMES));
    progress.clear();
    introduce(say, model.name, prepared.plan, cluster.address.url, flags);
    const channels = new Connections({ ...cluster.address, service: 'demo' });
    await channels.start();
    const seen = watchResults(channels, flags, say, interrupted);
    const topic = channels.topics.build('frame', { pipeline: PIPELINE, source: SOURCE });
    camera = await openCamera({
      bus: await channels.intake(),
      topic,
      fps: flags.fps,
      ...(flags.camera === undefined ? {} : { path: flags.camera }),
    });
    await camera.start();
    const failed = await seen;
    await camera.stop();
    await channels.stop();
    return failed ? EXIT.checkFailed : EXIT.ok;
  } finally {
    progress.clear();
    await camera?.stop();
    await cluster.stop();
    interrupted.end();
  }
}

function introduce(say: (text: string) => void, name: string, plan: Plan, url: string, flags: Flags): void {
  const tiles = plan.tasks.filter(({ shape }) => shape === 'tile').length;
  const scene = flags.camera === undefined ? 'A drawn scene' : flags.camera;
  say(`${scene} plays camera, ${flags.fps} frames a second, as JPEG over MQTT (${url}).`);
  say(
    `The network "${name}" is cut into ${plan.blocks.length} fused ${plan.blocks.length === 1 ? 'block' : 'blocks'}, ${tiles} tiles a frame; ${flags.workers} worker processes share them.`,
  );
  say(
    'One line per frame: how long it took in all, [tiles and time of each block], bytes moved, what was seen.',
  );
  say(`  frames  tilepipe/frame/${PIPELINE}/${SOURCE}`);
  say(`  results tilepipe/result/${PIPELINE}/${SOURCE}   (elsewhere: npx tilepipe watch --broker ${url})`);
  say('Ctrl-C ends it.\n');
}

/** Prints results until the wanted number has come, or a signal; resolves with whether one of them was an error. */
async function watchResults(
  channels: Connections,
  flags: Flags,
  say: (text: string) => void,
  interrupted: Interruption,
): Promise<boolean> {
  let left = flags.frames ?? Number.POSITIVE_INFINITY;
  let failed = false;
  const filter = channels.topics.filter('result', { pipeline: PIPELINE, source: '+' });
  const seen = new Promise<boolean>((resolve, reject) => {
    const take = ({ payload }: { payload: Buffer }): void => {
      const result = readResult(payload);
      if (result === undefined) return;
      // A frame that made room for a newer one is what a live camera wants, not a failure.
      if (!result.ok && result.error?.code !== 'frame-dropped') failed = true;
      if (flags.json) printJson(result);
      else say(line(result));
      if (result.ok && --left <= 0) resolve(failed);
    };
    channels.control.subscribe(filter, take, { qos: 1 }).catch(reject);
  });
  // Here a signal is the ordinary end.
  return interrupted.race(seen).catch((error: unknown) => {
    if (error instanceof TilepipeError && error.code === 'interrupted') return failed;
    throw error;
  });
}

function line(result: Result): string {
  const frame = `frame ${String(result.sequence ?? 0).padStart(4)}`;
  if (!result.ok) return `${frame}  ${result.error?.code}: ${result.error?.message}`;
  const blocks = result.timing?.blocks ?? [];
  const stages = blocks
    .map(({ tiles, ms: time }) => `${tiles} ${tiles === 1 ? 'tile' : 'tiles'} ${ms(time)}`)
    .join(' > ');
  const total = ms(result.timing?.totalMs ?? 0);
  return `${frame}  ${total.padStart(7)}  [${stages}]  ${bytes(result.bytes?.moved ?? 0)}  ${answerText(result)}`;
}
