// One picture through a whole Tilepipe of one worker process; the raw outputs go to a file, as one JSON line of their
// names and shapes and then their bytes. Runs on whatever Node.js starts it.
//   node test/arm64/frame.mjs <model> <picture> <output>
import { readFileSync, writeFileSync } from 'node:fs';
import { preparePlan } from '../../dist/services/controller/prepare.js';
import { Connections } from '../../dist/services/core/bus/connections.js';
import { BlobCache } from '../../dist/services/core/runtime/blobs.js';
import { cacheFolder } from '../../dist/services/core/runtime/paths.js';
import { gridCover } from '../../dist/services/core/tiling/cover.js';
import { Client } from '../../dist/tools/client.js';
import { LocalCluster } from '../../dist/tools/local-cluster.js';
import { openFlags } from '../../dist/tools/model-flags.js';
import { modelSettings } from '../../dist/tools/settings.js';

/** An emulated core is some hundred times slower than this machine. */
const FRAME_MS = 900_000;
const PIPELINE = 'arm64';

const [path, picture, output] = process.argv.slice(2);
const model = await openFlags({ model: path });
const { settings } = modelSettings(model, {
  preprocess: { resize: 'letterbox', divide: 255, mean: [0], std: [1] },
  answer: { task: 'tensors' },
});
const blobs = new BlobCache({ folder: cacheFolder('blobs') });
const cluster = new LocalCluster({ blobs, workers: 1 });
await cluster.start();
const plan = await preparePlan(model, PIPELINE, gridCover(2, 1), blobs);
await cluster.deploy(plan, settings, { maxInFlight: 1, maxWaiting: 1, deadlineMs: FRAME_MS, attempts: 1 });
const channels = new Connections({ ...cluster.address, service: 'arm64' });
await channels.start();
const client = new Client(channels, PIPELINE, 'arm64');
await client.start();
const { result, tensors } = await client.send(readFileSync(picture), FRAME_MS);
await client.stop();
await channels.stop();
await cluster.stop();
if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);

const outputs = tensors.map(({ name, dtype, shape, bytes }) => ({
  name,
  dtype,
  shape,
  bytes: bytes.byteLength,
}));
const head = { arch: process.arch, node: process.version, tiles: plan.plan.tasks.length, outputs };
writeFileSync(
  output,
  Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), ...tensors.map(({ bytes }) => bytes)]),
);
