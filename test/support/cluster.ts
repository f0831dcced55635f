/** A whole Tilepipe for a test, ended with it: real broker, real workers in processes of their own. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OpenedModel, preparePlan } from '../../services/controller/prepare.ts';
import { Connections } from '../../services/core/bus/connections.ts';
import { BlobCache } from '../../services/core/runtime/blobs.ts';
import type { Pipeline } from '../../services/core/schema/generated/pipeline.ts';
import type { Plan } from '../../services/core/schema/generated/plan.ts';
import { gridCover } from '../../services/core/tiling/cover.ts';
import type { Cover } from '../../services/core/tiling/types.ts';
import { settle } from '../../services/core/vision/settings.ts';
import { Client } from '../../tools/client.ts';
import { type ClusterOptions, LocalCluster } from '../../tools/local-cluster.ts';
import { openModel } from './open-model.ts';

export const FRAMES = { maxInFlight: 4, maxWaiting: 256, deadlineMs: 60_000, attempts: 3 } as const;

/** A folder of the test's own, removed by `cleanUp`. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'tilepipe-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface TestCluster {
  readonly cluster: LocalCluster;
  readonly client: Client;
  readonly blobs: BlobCache;
  /** Writes a model to a file and opens it. */
  open(model: Uint8Array, name?: string): Promise<OpenedModel>;
  /** Cuts a model, rolls the plan out and waits until every worker is ready. */
  deploy(model: OpenedModel, cover?: Cover, settings?: Pipeline): Promise<Plan>;
  stop(): Promise<void>;
}

export const PIPELINE = 'test';

/** Starts a cluster with its own cache folder; call `stop` in the test's teardown. */
export async function startCluster(options: Omit<ClusterOptions, 'blobs'>): Promise<TestCluster> {
  const folder = temporaryFolder();
  const blobs = new BlobCache({ folder: folder.path });
  const cluster = new LocalCluster({ ...options, blobs });
  await cluster.start();
  const channels = new Connections({ ...cluster.address, service: 'test' });
  await channels.start();
  const client = new Client(channels, PIPELINE, 'test');
  await client.start();
  return {
    cluster,
    client,
    blobs,
    async open(model, name = 'model') {
      return openModel(folder.path, model, { name });
    },
    async deploy(model, cover = gridCover(2, 2), settings = { answer: { task: 'tensors' } }) {
      const prepared = await preparePlan(model, PIPELINE, cover, blobs);
      await cluster.deploy(prepared, { ...settle(settings) }, FRAMES);
      return prepared.plan;
    },
    async stop() {
      await client.stop();
      await channels.stop();
      await cluster.stop();
      folder.remove();
    },
  };
}
