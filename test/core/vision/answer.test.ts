import { describe, expect, it } from 'vitest';
import { validator } from '../../../services/core/runtime/validate.ts';
import { type Result, resultSchema } from '../../../services/core/schema/generated/result.ts';
import { halfFromFloat } from '../../../services/core/tensor/dtype.ts';
import { answer, checkAnswer } from '../../../services/core/vision/answer.ts';
import { identity } from '../../../services/core/vision/letterbox.ts';
import { settle } from '../../../services/core/vision/settings.ts';
import { floatTensor, problem } from '../../support/tensors.ts';

const checkResult = validator<Result>(resultSchema, 'wire-invalid');
const box = identity({ width: 64, height: 32 });
const head = { format: 1, pipeline: 'p', frame: 'f-1', ok: true } as const;

describe('answer', () => {
  it('summarises raw tensors, leaving out what is not finite', () => {
    const { answer: settings } = settle({ answer: { task: 'tensors' } });
    const body = answer(
      settings,
      [floatTensor('a', [1, 4], [3, -2, Number.NaN, Infinity]), floatTensor('b', [1], [Number.NaN])],
      box,
    );
    expect(body).toEqual({
      task: 'tensors',
      image: { width: 64, height: 32 },
      tensors: [
        { name: 'a', dtype: 'float32', shape: [1, 4], min: -2, max: 3, nonFinite: 2 },
        { name: 'b', dtype: 'float32', shape: [1], nonFinite: 1 },
      ],
    });
    checkResult({ ...head, ...body });
  });

  it.each([
    ['int64', new BigInt64Array([-5n, 7n]), -5, 7],
    ['uint8', Uint8Array.of(1, 255), 1, 255],
    ['int8', Int8Array.of(-128, 3), -128, 3],
    ['float64', Float64Array.of(0.5, 2), 0.5, 2],
    ['bfloat16', Uint16Array.of(0x3f80, 0xc000), -2, 1],
    ['float16', Uint16Array.of(halfFromFloat(0.5), halfFromFloat(-8)), -8, 0.5],
    ['int32', Int32Array.of(9, -9), -9, 9],
    ['uint16', Uint16Array.of(9, 65535), 9, 65535],
    ['int16', Int16Array.of(9, -3), -3, 9],
    ['uint32', Uint32Array.of(9, 3), 3, 9],
    ['bool', Uint8Array.of(0, 1), 0, 1],
    ['uint64', new BigUint64Array([1n, 2n]), 1, 2],
  ] as const)('summarises %s', (dtype, array, min, max) => {
    const bytes = new Uint8Array(array.buffer);
    const { tensors } = answer(settle().answer, [{ name: 'x', dtype, shape: [2], bytes }], box);
    expect(tensors).toEqual([{ name: 'x', dtype, shape: [2], min, max }]);
  });

  it('classifies half precision that starts at any byte', () => {
    const bytes = new Uint8Array(7);
    bytes.set(
      new Uint8Array(Uint16Array.of(halfFromFloat(0.25), halfFromFloat(0.5), halfFromFloat(0.25)).buffer),
      1,
    );
    const tensor = { name: 'y', dtype: 'float16', shape: [1, 3], bytes: bytes.subarray(1) } as const;
    const body = answer(settle({ answer: { task: 'classify' } }).answer, [tensor], box);
    expect(body.classes?.[0]).toEqual({ label: 'class 1', index: 1, score: 0.5 });
    checkResult({ ...head, ...body });
  });

  it('detects, and its body makes a valid result', () => {
    const tensor = floatTensor('y', [1, 2, 6], [30, 16, 20, 8, 0.8, 0.5, 1, 1, 1, 1, 0, 0]);
    const body = answer(settle({ answer: { task: 'detect', head: 'yolov5' } }).answer, [tensor], box);
    expect(body.detections).toHaveLength(1);
    expect(body.classes).toBeUndefined();
    checkResult(JSON.parse(JSON.stringify({ ...head, ...body })));
  });
});

describe('the result schema', () => {
  it('wants an error exactly where there is no answer', () => {
    const failed = { ...head, ok: false, task: 'detect', error: { code: 'image-invalid', message: 'no' } };
    checkResult(failed);
    expect(() => checkResult({ ...failed, error: undefined })).toThrow(
      problem('wire-invalid', 'error') as Error,
    );
    expect(() => checkResult({ ...failed, ok: true, image: { width: 1, height: 1 } })).toThrow(
      problem('wire-invalid') as Error,
    );
    expect(() => checkResult({ ...head, task: 'detect' })).toThrow(problem('wire-invalid', 'image') as Error);
  });
});

describe('checkAnswer', () => {
  const y = (shape: readonly number[]) => [{ name: 'y', dtype: 'float32', shape } as const];

  it('refuses before the first frame what could not be answered', () => {
    const detect = settle({ answer: { task: 'detect' } }).answer;
    const classify = settle({ answer: { task: 'classify' } }).answer;
    expect(() => checkAnswer(detect, y([1, 10]), box.input)).toThrow(
      problem('config-invalid', 'answer.head') as Error,
    );
    expect(() => checkAnswer(classify, y([1, 3, 4, 5]), box.input)).toThrow(
      problem('config-invalid', 'classify') as Error,
    );
    checkAnswer(detect, y([1, 42, 6]), box.input);
    checkAnswer(classify, y([1, 10]), box.input);
    checkAnswer(settle().answer, y([1, 3, 4, 5]), box.input);
  });
});
