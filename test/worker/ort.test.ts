import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DType } from '../../services/core/graph/types.ts';
import { encodeModel } from '../../services/core/graph/write.ts';
import { typedView } from '../../services/core/tensor/dtype.ts';
import { floatsOf } from '../../services/core/vision/floats.ts';
import type { TensorData } from '../../services/core/wire/message.ts';
import { freeMemory } from '../../services/worker/executor/free-memory.ts';
import {
  isRewritten,
  keepForm,
  removeUnused,
  runsUnpacked,
} from '../../services/worker/executor/optimised.ts';
import { OrtExecutor, type OrtOptions } from '../../services/worker/executor/ort.ts';
import { probeShapes } from '../../services/worker/executor/probe.ts';
import { bytesOf, CONV_WEIGHTS, convolution, convolve, tensor, unary, weightsConstant } from './models.ts';

const open: OrtExecutor[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tilepipe-ort-'));
});

afterEach(async () => {
  for (const executor of open.splice(0)) await executor.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function started(options: OrtOptions = {}): Promise<OrtExecutor> {
  const executor = new OrtExecutor(options);
  open.push(executor);
  await executor.start();
  return executor;
}

const ramp = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => Math.sin(i));

/** Writes bytes under their digest and returns the path. */
function store(bytes: Uint8Array): string {
  const path = join(folder, createHash('sha256').update(bytes).digest('hex'));
  writeFileSync(path, bytes);
  return path;
}

/** The convolution with its weights in a file beside it, as sub-models have them. */
function storedConvolution(): string {
  const weights = bytesOf(CONV_WEIGHTS);
  const location = store(weights).slice(folder.length + 1);
  const model = convolution({
    name: 'w',
    dtype: 'float32',
    shape: [3, 2, 3, 3],
    location,
    offset: 0,
    length: weights.length,
  });
  return store(model);
}

/** A matrix product whose weights are large enough for a file of their own; `name` makes it another model. */
function storedProduct(name: string): string {
  const values = ramp(40 * 40);
  const spec = { name: 'w', dtype: 'float32' as const, shape: [40, 40], offset: 0, length: 6400 };
  const location = store(bytesOf(values)).slice(folder.length + 1);
  const model = encodeModel({
    name,
    opsets: new Map([['', 17]]),
    irVersion: 8,
    nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    inputs: [{ name: 'x', dtype: 'float32', shape: ['n', 40] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: ['n', 40] }],
    externalInitializers: [{ ...spec, location }],
  });
  return store(model);
}

describe('the executor', () => {
  it('computes what arithmetic says, for any height and width of one session', async () => {
    const executor = await started();
    const session = await executor.loadBytes(convolution(weightsConstant()));
    for (const [height, width] of [
      [5, 7],
      [8, 3],
    ] as const) {
      const x = ramp(2 * height * width);
      const expected = convolve(x, height, width);
      const { outputs, computeMs } = await executor.run(session, [
        tensor('x', 'float32', [1, 2, height, width], x),
      ]);
      expect(outputs.map(({ name, dtype, shape }) => ({ name, dtype, shape }))).toEqual([
        { name: 'y', dtype: 'float32', shape: [1, 3, height - 2, width - 2] },
      ]);
      const y = floatsOf(outputs[0] as never);
      for (let i = 0; i < y.length; i++) expect(y[i]).toBeCloseTo(expected[i] as number, 5);
      expect(computeMs).toBeGreaterThan(0);
    }
    expect(executor.describe()).toMatch(/^onnxruntime-node \d+\.\d+\.\d+ cpu threads=1$/);
  });

  const ELEMENTS: [DType, ArrayBufferView][] = [
    ['float32', Float32Array.of(-1.5, 0, Number.NaN, 3e38)],
    ['float64', Float64Array.of(-1.5, 1e300)],
    ['float16', Uint16Array.of(0x3c00, 0xc000, 0x7c00, 0x0001)],
    ['int8', Int8Array.of(-128, 0, 127)],
    ['uint8', Uint8Array.of(0, 128, 255)],
    ['int16', Int16Array.of(-32768, 32767)],
    ['uint16', Uint16Array.of(0, 65535)],
    ['int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
    ['uint32', Uint32Array.of(0, 2 ** 32 - 1)],
    ['int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)],
    ['uint64', BigUint64Array.of(0n, 2n ** 64n - 1n)],
    ['bool', Uint8Array.of(0, 1, 1)],
  ];
  it.each(ELEMENTS)('moves %s bit for bit', async (dtype, data) => {
    const executor = await started();
    const session = await executor.loadBytes(unary('Identity', dtype));
    const count = (data as Uint8Array).length;
    const before = Buffer.from(bytesOf(data)).toString('hex');
    const { outputs } = await executor.run(session, [tensor('x', dtype, [count], data)]);
    expect(outputs[0]?.dtype).toBe(dtype);
    expect(Buffer.from(outputs[0]?.bytes as Uint8Array).toString('hex')).toBe(before);
  });

  it('leaves a larger or pooled buffer alone, also at an odd offset, and takes one that is given whole', async () => {
    const executor = await started();
    const session = await executor.loadBytes(unary('Neg', 'float32'));
    const pool = new Uint8Array(64).fill(7);
    const view = pool.subarray(5, 13);
    view.set(bytesOf(Float32Array.of(1, 2)));
    const copied = await executor.run(session, [tensor('x', 'float32', [2], view)]);
    expect([...floatsOf(copied.outputs[0] as never)]).toEqual([-1, -2]);
    expect(pool.byteLength).toBe(64);
    expect([...typedView('float32', view)]).toEqual([1, 2]);
    const own = Float32Array.of(3, 4);
    const given = await executor.run(session, [tensor('x', 'float32', [2], own)]);
    expect([...floatsOf(given.outputs[0] as never)]).toEqual([-3, -4]);
    expect(own.byteLength).toBe(0);
  });

  it('computes only the outputs asked for, and hands out one buffer that two outputs share', async () => {
    const executor = await started();
    const model = encodeModel({
      opsets: new Map([['', 17]]),
      irVersion: 8,
      nodes: [
        { op: 'Neg', inputs: ['x'], outputs: ['a'] },
        { op: 'Abs', inputs: ['x'], outputs: ['b'] },
      ],
      inputs: [{ name: 'x', dtype: 'float32', shape: [3] }],
      outputs: ['a', 'b'].map((name) => ({ name, dtype: 'float32' as const, shape: [3] })),
    });
    const session = await executor.loadBytes(model);
    const input = () => tensor('x', 'float32', [3], Float32Array.of(-1, 0, 2));
    const one = await executor.run(session, [input()], ['b']);
    expect(one.outputs.map(({ name }) => name)).toEqual(['b']);
    const both = await executor.run(session, [input()]);
    expect(both.outputs.map((output) => [output.name, ...floatsOf(output)])).toEqual([
      ['a', 1, -0, -2],
      ['b', 1, 0, 2],
    ]);
  });

  it('keeps the event loop free while it computes', async () => {
    const executor = await started();
    const session = await executor.loadBytes(convolution(weightsConstant()));
    const side = 1200;
    let turns = 0;
    let done = false;
    const run = executor.run(session, [tensor('x', 'float32', [1, 2, side, side], ramp(2 * side * side))]);
    void run.then(() => {
      done = true;
    });
    while (!done) {
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(turns).toBeGreaterThan(10);
  });

  it('runs in the order asked, and everything asked', async () => {
    const executor = await started();
    const session = await executor.loadBytes(unary('Neg', 'float32'));
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const { outputs } = await executor.run(session, [tensor('x', 'float32', [1], Float32Array.of(i))]);
        order.push(-(floatsOf(outputs[0] as never)[0] as number));
      }),
    );
    expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });
});

describe('what the executor refuses', () => {
  it('is a model it cannot read or build, with its own words and the node', async () => {
    const executor = await started();
    const missing = join(folder, 'nothing.onnx');
    await expect(executor.load(missing)).rejects.toMatchObject({
      code: 'model-refused',
      message: expect.stringContaining(missing),
    });
    await expect(executor.loadBytes(new Uint8Array(40).fill(255))).rejects.toMatchObject({
      code: 'model-refused',
    });
    const wrong = encodeModel({
      opsets: new Map([['', 17]]),
      irVersion: 8,
      nodes: [{ op: 'NoSuchOperator', name: 'the-culprit', inputs: ['x'], outputs: ['y'] }],
      inputs: [{ name: 'x', dtype: 'float32', shape: [1] }],
      outputs: [{ name: 'y', dtype: 'float32', shape: [1] }],
    });
    await expect(executor.loadBytes(wrong, { name: 'wrong.onnx' })).rejects.toMatchObject({
      code: 'model-refused',
      message: expect.stringMatching(/wrong\.onnx.*NoSuchOperator/s),
    });
    const session = await executor.loadBytes(unary('Neg', 'float32'));
    await expect(
      executor.run(session, [tensor('x', 'float32', [1], Float32Array.of(1))]),
    ).resolves.toBeDefined();
  });

  it('is a run with the wrong tensors; the next run works', async () => {
    const executor = await started();
    const session = await executor.loadBytes(convolution(weightsConstant()));
    const run = (name: string, dtype: DType, shape: number[], data: ArrayBufferView) =>
      executor.run(session, [tensor(name, dtype, shape, data)]);
    await expect(run('x', 'float32', [1, 5, 4, 4], ramp(80))).rejects.toMatchObject({ code: 'task-failed' });
    await expect(run('x', 'float32', [1, 2, 9, 9], ramp(8))).rejects.toMatchObject({ code: 'task-failed' });
    await expect(run('z', 'float32', [1, 2, 4, 4], ramp(32))).rejects.toMatchObject({ code: 'task-failed' });
    await expect(run('x', 'int32', [1, 2, 4, 4], new Int32Array(32))).rejects.toMatchObject({
      code: 'task-failed',
    });
    await expect(run('x', 'bfloat16', [1, 2, 4, 4], new Uint16Array(32))).rejects.toMatchObject({
      code: 'task-failed',
    });
    await expect(executor.run(session + 1, [])).rejects.toMatchObject({ code: 'task-failed' });
    await expect(run('x', 'float32', [1, 2, 4, 4], ramp(32))).resolves.toBeDefined();
  });

  it('is a platform without a build, by name, before anything is loaded', async () => {
    const executor = new OrtExecutor({ platform: { arch: 'arm', platform: 'linux' } });
    await expect(executor.start()).rejects.toMatchObject({
      code: 'platform-unsupported',
      message: expect.stringContaining('32-bit ARM'),
    });
    expect(executor.describe()).toContain('not started');
  });
});

describe('the life of the thread', () => {
  it('ends what waits when it stops, refuses what comes then, and can be started again', async () => {
    const executor = await started();
    const session = await executor.loadBytes(convolution(weightsConstant()));
    const side = 1500;
    const runs = [1, 2].map(() =>
      executor.run(session, [tensor('x', 'float32', [1, 2, side, side], ramp(2 * side * side))]),
    );
    const outcomes = Promise.allSettled(runs);
    await new Promise((resolve) => setImmediate(resolve));
    await executor.stop();
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'task-failed' } });
    }
    const refused = { message: expect.stringContaining('the executor was stopped') };
    const model = unary('Neg', 'float32');
    await expect(executor.loadBytes(model)).rejects.toMatchObject({ ...refused, code: 'model-refused' });
    await expect(executor.load(store(model))).rejects.toMatchObject(refused);
    await executor.stop();
    await executor.start();
    const again = await executor.loadBytes(model);
    await expect(
      executor.run(again, [tensor('x', 'float32', [1], Float32Array.of(1))]),
    ).resolves.toBeDefined();
  });

  it('does not begin for a load that comes after a stop before any start', async () => {
    const executor = new OrtExecutor();
    await executor.stop();
    await expect(executor.loadBytes(unary('Neg', 'float32'))).rejects.toMatchObject({
      code: 'model-refused',
    });
    expect(executor.describe()).toContain('not started');
  });

  it('forgets a session that is unloaded', async () => {
    const executor = await started();
    const session = await executor.loadBytes(unary('Neg', 'float32'));
    await executor.unload(session);
    await executor.unload(session);
    await expect(
      executor.run(session, [tensor('x', 'float32', [1], Float32Array.of(1))]),
    ).rejects.toMatchObject({ code: 'task-failed' });
  });

  it('mends a lost thread: what ran fails, what was loaded runs again', async () => {
    const said = vi.spyOn(Worker.prototype, 'postMessage');
    const executor = await started();
    const session = await executor.load(storedConvolution());
    const x = () => tensor('x', 'float32', [1, 2, 5, 5], ramp(50));
    const { outputs } = await executor.run(session, [x()]);
    const thread = said.mock.contexts.at(-1) as Worker;
    said.mockRestore();
    const lost = once(thread, 'exit');
    await thread.terminate();
    await lost;
    const again = await executor.run(session, [x()]);
    expect(floatsOf(again.outputs[0] as never)).toEqual(floatsOf(outputs[0] as never));
    expect(thread.threadId).toBe(-1);
  });
});

describe('a probe', () => {
  it('tells types and shapes of inner tensors, and leaves out what the model has not', async () => {
    const executor = await started();
    const weights = bytesOf(CONV_WEIGHTS);
    const location = store(weights).slice(folder.length + 1);
    const model = convolution({
      name: 'w',
      dtype: 'float32',
      shape: [3, 2, 3, 3],
      location,
      offset: 0,
      length: weights.length,
    });
    const inputs = [{ name: 'x', dtype: 'float32' as const, shape: [1, 2, 6, 8] }];
    const found = await probeShapes(executor, { model, inputs, folder }, ['c', 'nowhere', 'y']);
    expect(Object.fromEntries(found)).toEqual({
      c: { dtype: 'float32', shape: [1, 3, 4, 6] },
      y: { dtype: 'float32', shape: [1, 3, 4, 6] },
    });
    const hopeless = await probeShapes(executor, { model: new Uint8Array(8), inputs }, ['c']);
    expect(hopeless.size).toBe(0);
  });
});

describe('memory', () => {
  it('of inputs is freed by the run, and of outputs on release, at most once', async () => {
    const executor = await started();
    const session = await executor.load(store(unary('Identity', 'float32')));
    const x = tensor('x', 'float32', [4], ramp(4));
    const { outputs, release } = await executor.run(session, [x]);
    expect(x.bytes.byteLength).toBe(0);
    const [y] = outputs as [TensorData];
    expect(floatsOf(y)).toEqual(ramp(4));
    release();
    expect(y.bytes.byteLength).toBe(0);
    release();
    const next = await executor.run(session, [tensor('x', 'float32', [4], ramp(4))]);
    expect(floatsOf(next.outputs[0] as TensorData)).toEqual(ramp(4));
  });

  it('that cannot leave its thread is left alone', () => {
    const slab = Buffer.from('small').buffer as ArrayBuffer;
    const { byteLength } = slab;
    freeMemory([slab]);
    expect(slab.byteLength).toBe(byteLength);
    freeMemory([]);
  });
});

describe('optimised forms', () => {
  it('are made once, found again by another executor, and give the same bits', async () => {
    const path = storedConvolution();
    const optimised = join(folder, 'optimised');
    const x = () => tensor('x', 'float32', [1, 2, 9, 6], ramp(108));
    const plain = await started();
    const reference = await plain.run(await plain.load(path), [x()]);
    const first = await started({ optimised });
    const one = await first.run(await first.load(path), [x()]);
    const shelf = join(optimised, readdirSync(optimised)[0] as string);
    const form = join(shelf, path.slice(folder.length + 1), 'model.onnx');
    const made = statSync(form).mtimeMs;
    const second = await started({ optimised });
    const two = await second.run(await second.load(path), [x()]);
    expect(statSync(form).mtimeMs).toBe(made);
    expect(floatsOf(one.outputs[0] as never)).toEqual(floatsOf(reference.outputs[0] as never));
    expect(floatsOf(two.outputs[0] as never)).toEqual(floatsOf(reference.outputs[0] as never));
  });

  it('are made again where damaged, and done without where the folder cannot be written', async () => {
    const path = storedConvolution();
    const optimised = join(folder, 'optimised');
    const first = await started({ optimised });
    await first.load(path);
    const shelf = join(optimised, readdirSync(optimised)[0] as string);
    const form = join(shelf, path.slice(folder.length + 1), 'model.onnx');
    writeFileSync(form, 'not a model');
    await first.load(path);
    expect(statSync(form).size).toBeGreaterThan(20);
    const blocked = join(folder, 'a-file');
    writeFileSync(blocked, '');
    const third = await started({ optimised: blocked });
    const session = await third.load(path);
    await expect(third.run(session, [tensor('x', 'float32', [1, 2, 4, 4], ramp(32))])).resolves.toBeDefined();
    expect(existsSync(join(blocked, 'x'))).toBe(false);
  });

  it('share equal weights on disk, and go when nothing has used them for a month', async () => {
    const optimised = join(folder, 'optimised');
    const executor = await started({ optimised });
    await executor.load(storedProduct('one'));
    await executor.load(storedProduct('two'));
    const shelf = join(optimised, readdirSync(optimised)[0] as string);
    const forms = readdirSync(shelf).filter((name) => !name.startsWith('weights-'));
    expect(forms).toHaveLength(2);
    const inodes = forms.map((form) => statSync(join(shelf, form, 'weights')).ino);
    expect(inodes[0]).toBe(inodes[1]);
    const month = 31 * 24 * 3_600_000;
    removeUnused(optimised, Date.now());
    expect(readdirSync(shelf)).toHaveLength(3);
    utimesSync(join(shelf, forms[0] as string), new Date(Date.now() + month), new Date(Date.now() + month));
    removeUnused(optimised, Date.now() + month);
    expect(readdirSync(shelf).sort()).toEqual([forms[0], expect.stringMatching(/^weights-/)]);
    rmSync(join(shelf, forms[0] as string), { recursive: true });
    removeUnused(optimised);
    expect(readdirSync(shelf)).toEqual([]);
    removeUnused(join(folder, 'nowhere'));
  });

  it('are made by several executors at once, and one is kept', async () => {
    const optimised = join(folder, 'optimised');
    const paths = ['one', 'two', 'three'].map(storedProduct);
    const executors = await Promise.all([1, 2, 3].map(() => started({ optimised })));
    const x = () => tensor('x', 'float32', [1, 40], ramp(40));
    const answers = await Promise.all(
      executors.map(async (executor) => {
        const sessions: number[] = [];
        for (const path of paths) sessions.push(await executor.load(path));
        const results = await Promise.all(sessions.map((session) => executor.run(session, [x()])));
        return results.map(({ outputs: [y] }) => floatsOf(y as never));
      }),
    );
    for (const row of answers) for (const y of row) expect(y).toEqual(answers[0]?.[0]);
    const shelf = join(optimised, readdirSync(optimised)[0] as string);
    const digests = paths.map((path) => path.slice(folder.length + 1));
    const names = readdirSync(shelf).filter((name) => !name.startsWith('weights-'));
    expect(names.sort()).toEqual(digests.sort());
    expect(readdirSync(shelf)).toHaveLength(4);
    const inodes = new Set(digests.map((form) => statSync(join(shelf, form, 'weights')).ino));
    expect(inodes.size).toBe(1);
  });

  it('of which another was done first are thrown away, whole', () => {
    const shelf = join(folder, 'shelf');
    const form = join(shelf, 'form');
    const drafts = ['form.a', 'form.b'].map((name) => join(shelf, name));
    for (const draft of drafts) {
      mkdirSync(draft, { recursive: true });
      writeFileSync(join(draft, 'model.onnx'), draft);
      writeFileSync(join(draft, 'weights'), 'the same');
      keepForm(draft, form);
    }
    expect(readFileSync(join(form, 'model.onnx'), 'utf8')).toBe(drafts[0]);
    expect(readdirSync(shelf).sort()).toEqual(['form', expect.stringMatching(/^weights-/)]);
    expect(() => keepForm(join(shelf, 'nowhere'), join(shelf, 'other'))).toThrow();
  });

  it('keep fully connected weights as they lie in the file, beside convolutions too', async () => {
    const [conv, gemm, product] = ['Conv', 'Gemm', 'MatMul'].map((op) =>
      Buffer.concat([Buffer.from([0x22, op.length]), Buffer.from(op)]),
    ) as [Buffer, Buffer, Buffer];
    expect([runsUnpacked(gemm), isRewritten(gemm)]).toEqual([true, false]);
    expect([runsUnpacked(conv), isRewritten(conv)]).toEqual([false, true]);
    expect(isRewritten(Buffer.concat([conv, gemm]))).toBe(true);
    expect(runsUnpacked(Buffer.concat([conv, gemm]))).toBe(process.arch === 'x64');
    expect(runsUnpacked(Buffer.concat([product, gemm]))).toBe(false);
  });

  it('are not made for a file that is not named by its digest', async () => {
    const path = join(folder, 'model.onnx');
    writeFileSync(path, convolution(weightsConstant()));
    const optimised = join(folder, 'optimised');
    const executor = await started({ optimised });
    await executor.load(path);
    expect(existsSync(optimised)).toBe(false);
  });
});
