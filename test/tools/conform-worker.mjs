// A worker for the conform tests: ours as it is, or with one defect named on the command line.

import { Connections } from '../../dist/services/core/bus/connections.js';
import { BlobCache } from '../../dist/services/core/runtime/blobs.js';
import { createLog } from '../../dist/services/core/runtime/log.js';
import { cacheFolder } from '../../dist/services/core/runtime/paths.js';
import { runService } from '../../dist/services/core/runtime/run-service.js';
import { Service } from '../../dist/services/core/runtime/service.js';
import { OrtExecutor } from '../../dist/services/worker/executor/ort.js';
import { WorkerPart } from '../../dist/services/worker/part.js';

const [defect] = process.argv.slice(2);
const id = process.env.TILEPIPE_WORKER_ID;
const log = createLog(id, { level: 'silent' });

class Executor extends OrtExecutor {
  async run(...request) {
    const result = await super.run(...request);
    if (defect === 'wrong-numbers') new Float32Array(result.outputs[0].bytes.buffer)[5] += 0.01;
    return result;
  }
}

const part = new WorkerPart({
  executor: new Executor(),
  blobs: new BlobCache({ folder: cacheFolder('blobs') }),
});
const service = new Service({
  role: 'worker',
  id: defect === 'wrong-id' ? 'somebody-else' : id,
  part,
  log,
  inbox: true,
  connect: (will) =>
    new Connections({
      url: process.env.TILEPIPE_BROKER,
      service: id,
      will: defect === 'no-will' ? undefined : will,
      maxMessageBytes: defect === 'large-parts' ? 3_000_000 : undefined,
      log,
    }),
});
if (defect === 'no-drain') process.on('SIGTERM', () => process.exit(0));
await runService(service, log);
