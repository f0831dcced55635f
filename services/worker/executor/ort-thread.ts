/**
 * The thread ONNX Runtime runs in: `session.run` and `InferenceSession.create` block whoever calls them.
 * The only file that imports onnxruntime-node.
 */

import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { typedView } from '../../core/tensor/dtype.ts';
import { freeMemory } from './free-memory.ts';
import { keepForm, MODEL_FILE, touchForm, WEIGHTS_FILE } from './optimised.ts';
import type { LoadBytes, LoadPath, OrtReply, OrtRequest, OrtSettings, PassedTensor } from './ort-messages.ts';

type SessionOptions = InferenceSession.SessionOptions;

/** Fatal only: what fails comes back as an exception with the same words. */
const QUIET = 4;
/** Smaller initializers stay in the optimised model itself: their values take part in shape inference. */
const EXTERNAL_FROM_BYTES = 1024;

const { threads, optimise, ending } = workerData as OrtSettings;
const port = parentPort as NonNullable<typeof parentPort>;
const sessions = new Map<number, InferenceSession>();

function options(
  graphOptimizationLevel: 'all' | 'disabled',
  entries: Readonly<Record<string, unknown>> = {},
): SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // An arena is its session's own and never shrinks: with one session per pad pattern they held 130 MB for tiles
    // that need 10. Without one, a pattern (all activations in one piece) would be mapped anew in every run.
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: QUIET,
    graphOptimizationLevel: optimise ? graphOptimizationLevel : 'disabled',
    // Without this a second thread spins on a whole core between runs.
    extra: { session: { intra_op: { allow_spinning: '0' }, ...entries } },
  };
}

function openBytes({ model, folder }: LoadBytes): Promise<InferenceSession> {
  const entries = folder === undefined ? {} : { model_external_initializers_file_folder_path: folder };
  return InferenceSession.create(model, options('all', entries));
}

async function open({ path, optimised, unpacked }: LoadPath): Promise<InferenceSession> {
  const packing = unpacked ? { disable_prepacking: '1' } : {};
  if (optimised === undefined) return InferenceSession.create(path, options('all', packing));
  const ready = join(optimised, MODEL_FILE);
  if (existsSync(ready)) {
    try {
      const session = await InferenceSession.create(ready, options('disabled', packing));
      touchForm(optimised);
      return session;
    } catch {
      // Damaged, or written by another build of the library: it is made again.
      rmSync(optimised, { recursive: true, force: true });
    }
  }
  return (
    (await makeOptimised(path, optimised, packing)) ?? InferenceSession.create(path, options('all', packing))
  );
}

/**
 * Optimises once, keeps the outcome as a file with its weights beside it, and loads that: the weights are then
 * mapped, not copied, and shared between processes. Undefined where the disk or the library cannot do it.
 */
async function makeOptimised(
  path: string,
  folder: string,
  packing: Readonly<Record<string, unknown>>,
): Promise<InferenceSession | undefined> {
  let draft: string | undefined;
  try {
    mkdirSync(dirname(folder), { recursive: true });
    draft = mkdtempSync(`${folder}.`);
    const first = await InferenceSession.create(path, {
      ...options('all', {
        ...packing,
        optimized_model_external_initializers_file_name: WEIGHTS_FILE,
        optimized_model_external_initializers_min_size_in_bytes: String(EXTERNAL_FROM_BYTES),
      }),
      optimizedModelFilePath: join(draft, MODEL_FILE),
    });
    await first.release();
    keepForm(draft, folder);
    return await InferenceSession.create(join(folder, MODEL_FILE), options('disabled', packing));
  } catch {
    if (draft !== undefined) rmSync(draft, { recursive: true, force: true });
    return undefined;
  }
}

async function run(request: Extract<OrtRequest, { op: 'run' }>): Promise<OrtReply> {
  const session = sessions.get(request.session);
  if (session === undefined) throw new Error(`no session ${request.session}`);
  const feeds: Record<string, Tensor> = {};
  for (const input of request.inputs) feeds[input.name] = toTensor(input);
  const started = performance.now();
  const results =
    request.outputs === undefined ? await session.run(feeds) : await session.run(feeds, request.outputs);
  const computeMs = performance.now() - started;
  const outputs = Object.entries(results).map(([name, tensor]) => fromTensor(name, tensor));
  const passed = new Set(outputs.map(({ buffer }) => buffer));
  freeMemory(request.inputs.map(({ buffer }) => buffer).filter((buffer) => !passed.has(buffer)));
  return { id: request.id, outputs, computeMs };
}

function toTensor({ name, dtype, shape, buffer, byteOffset, byteLength }: PassedTensor): Tensor {
  if (dtype === 'bfloat16') throw new Error(`input ${name}: the binding has no bfloat16`);
  const view = typedView(dtype, new Uint8Array(buffer, byteOffset, byteLength));
  return new Tensor(dtype, view as Tensor.DataTypeMap[typeof dtype], [...shape]) as Tensor;
}

function fromTensor(name: string, tensor: Tensor): PassedTensor {
  const { data, dims, type } = tensor;
  if (!ArrayBuffer.isView(data) || type === 'string' || type === 'int4' || type === 'uint4') {
    throw new Error(`output ${name}: element type ${type} is not supported`);
  }
  const { buffer, byteOffset, byteLength } = data;
  return { name, dtype: type, shape: dims, buffer: buffer as ArrayBuffer, byteOffset, byteLength };
}

async function handle(request: OrtRequest): Promise<OrtReply> {
  if (request.op === 'end') {
    port.close();
    return { id: request.id };
  }
  if (Atomics.load(ending, 0) !== 0) throw new Error('the executor was stopped');
  switch (request.op) {
    case 'load': {
      const { from } = request;
      sessions.set(request.session, await ('model' in from ? openBytes(from) : open(from)));
      return { id: request.id };
    }
    case 'unload':
      await sessions.get(request.session)?.release();
      sessions.delete(request.session);
      return { id: request.id };
    case 'run':
      return run(request);
  }
}

/** An output that passes an input through may share its buffer with another: each is transferred once. */
function buffersOf(reply: OrtReply): ArrayBuffer[] {
  return 'outputs' in reply ? [...new Set(reply.outputs?.map(({ buffer }) => buffer))] : [];
}

// Node 24 has Float16Array, the library then makes float16 tensors of it, and the native side reads them as empty.
Reflect.deleteProperty(globalThis, 'Float16Array');
// The library's own log level is set when it is first used, and warns about every optimised model by default.
env.logLevel = 'fatal';
let queue: Promise<void> = Promise.resolve();
port.on('message', (request: OrtRequest) => {
  queue = queue.then(async () => {
    try {
      const reply = await handle(request);
      port.postMessage(reply, buffersOf(reply));
    } catch (error) {
      port.postMessage({ id: request.id, error: error instanceof Error ? error.message : String(error) });
    }
  });
});
port.postMessage({ id: 0, version: env.versions.node ?? env.versions.common } satisfies OrtReply);
