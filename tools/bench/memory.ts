/** Does memory stay flat? 2,000 frames of the drawn scene's network through a hub and two workers. */

import { join } from 'node:path';
import { openAnalysed, preparePlan } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import { packageRoot } from '../../services/core/runtime/entry.ts';
import { cacheFolder } from '../../services/core/runtime/paths.ts';
import { median } from '../../services/core/runtime/quantile.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import { Client } from '../client.ts';
import { encodeJpeg } from '../demo/jpeg.ts';
import { SCENE_HEIGHT, SCENE_WIDTH, Scene } from '../demo/scene.ts';
import { LocalCluster } from '../local-cluster.ts';
import { Progress } from '../output.ts';
import { readPipelineFile } from '../pipeline-file.ts';
import { modelSettings } from '../settings.ts';
import { residentBytes } from './idle.ts';
import { atMost, type BenchReport, rounded } from './report.ts';

const FRAMES = 2000;
const PICTURES = 16;
const LIMITS = { maxInFlight: 3, maxWaiting: 8, deadlineMs: 30_000, attempts: 2 } as const;

export async function benchMemory(): Promise<BenchReport> {
  const folder = join(packageRoot(), 'tools', 'demo');
  const blobs = new BlobCache({ folder: cacheFolder('blobs') });
  const model = await openAnalysed(join(folder, 'scenes.onnx'), {});
  const { settings } = modelSettings(model, await readPipelineFile(join(folder, 'pipeline.json')));
  const cluster = new LocalCluster({ blobs, workers: 2, threads: 1 });
  const samples = new Map<string, number[]>();
  const progress = new Progress();
  try {
    await cluster.start();
    await cluster.deploy(await preparePlan(model, 'memory', gridCover(2, 2), blobs), { ...settings }, LIMITS);
    const channels = new Connections({ ...cluster.address, service: 'memory' });
    await channels.start();
    const client = new Client(channels, 'memory', 'memory');
    await client.start();
    const pictures = await drawnPictures();
    for (let frame = 0; frame < FRAMES; frame++) {
      await client.send(pictures[frame % PICTURES] as Buffer, LIMITS.deadlineMs);
      sample(samples, 'hub', process.pid);
      for (const { id, pid } of cluster.workers) if (pid !== undefined) sample(samples, id, pid);
      if (frame % 50 === 0) progress.say(`frame ${frame} of ${FRAMES}`);
    }
    progress.clear();
    await client.stop();
    await channels.stop();
  } finally {
    await cluster.stop();
  }
  const rows = [...samples].map(([service, values]) => {
    const quarter = values.length >> 2;
    const second = median(values.slice(quarter, 2 * quarter)) / 1e6;
    const last = median(values.slice(3 * quarter)) / 1e6;
    return { service, second, last };
  });
  return {
    bench: 'memory',
    cells: rows.map(({ service, second, last }) => ({
      service,
      frames: FRAMES,
      secondQuarterMB: rounded(second),
      lastQuarterMB: rounded(last),
      growthMB: rounded(last - second),
    })),
    targets: rows.map(({ service, second, last }) => atMost(`${service}: growth, MB`, 5, last - second)),
  };
}

function sample(samples: Map<string, number[]>, service: string, pid: number): void {
  const values = samples.get(service) ?? [];
  values.push(residentBytes(pid));
  samples.set(service, values);
}

async function drawnPictures(): Promise<Buffer[]> {
  const scene = new Scene({ seed: 5, width: SCENE_WIDTH, height: SCENE_HEIGHT });
  const pictures: Buffer[] = [];
  for (let i = 0; i < PICTURES; i++) {
    pictures.push(await encodeJpeg(scene.draw(), scene.width, scene.height));
    scene.step();
  }
  return pictures;
}
