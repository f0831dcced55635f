import { describe, expect, it } from 'vitest';
import type { DType } from '../../../services/core/graph/types.ts';
import { inputFormat } from '../../../services/core/vision/preprocess.ts';
import { recognise } from '../../../services/core/vision/recognise.ts';
import { settle } from '../../../services/core/vision/settings.ts';

interface Case {
  readonly name?: string;
  readonly input?: readonly number[];
  readonly inputName?: string;
  readonly dtype?: DType;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

function look({
  name = '',
  input = [1, 3, 416, 416],
  inputName = 'images',
  dtype = 'float32',
  outputs,
}: Case) {
  return recognise({
    name,
    inputs: [{ name: inputName, dtype, shape: input }],
    outputs: Object.entries(outputs).map(([output, shape]) => ({ name: output, dtype: 'float32', shape })),
  });
}

const nanodet = {
  c8: [1, 2704, 80],
  c16: [1, 676, 80],
  c32: [1, 169, 80],
  d8: [1, 2704, 32],
  d16: [1, 676, 32],
  d32: [1, 169, 32],
};

describe('recognise', () => {
  it.each([
    [
      'YOLOX',
      { outputs: { y: [1, 3549, 85] } },
      { color: 'BGR', divide: 1, anchor: 'top-left', fill: 114 },
      { head: 'yolox', labels: 'coco' },
    ],
    [
      'YOLOX of other classes',
      { outputs: { y: [1, 3549, 9] } },
      { color: 'BGR' },
      { head: 'yolox', labels: 'none' },
    ],
    [
      'YOLOv6',
      { name: 'yolov6n.onnx', outputs: { y: [1, 3549, 85] } },
      { color: 'RGB', divide: 255 },
      { head: 'yolov5' },
    ],
    [
      'YOLOv5',
      { input: [1, 3, 640, 640], outputs: { y: [1, 25200, 85] } },
      { color: 'RGB', divide: 255, anchor: 'center' },
      { head: 'yolov5', labels: 'coco' },
    ],
    [
      'YOLOv8',
      { input: [1, 3, 640, 640], outputs: { y: [1, 84, 8400] } },
      { color: 'RGB', divide: 255, anchor: 'center' },
      { head: 'yolov8', labels: 'coco' },
    ],
    [
      'YOLOv8, not square',
      { input: [1, 3, 480, 640], outputs: { y: [1, 6, 6300] } },
      { resize: 'letterbox' },
      { head: 'yolov8', labels: 'none' },
    ],
    [
      'NanoDet',
      { outputs: nanodet },
      { color: 'BGR', mean: [103.53, 116.28, 123.675] },
      { head: 'nanodet', labels: 'coco' },
    ],
    [
      'UltraFace',
      {
        name: 'version-RFB-320',
        input: [1, 3, 240, 320],
        outputs: { scores: [1, 4420, 2], boxes: [1, 4420, 4] },
      },
      { resize: 'stretch', mean: [127], std: [128] },
      { head: 'ssd', labels: 'face', background: true },
    ],
    [
      'a cell map by name',
      { outputs: { grid: [1, 8, 26, 26] } },
      { color: 'RGB' },
      { head: 'grid', labels: 'none' },
    ],
  ] as [string, Case, object, object][])('knows %s', (_, model, preprocess, answer) => {
    const { pipeline, image } = look(model);
    expect(pipeline.preprocess).toMatchObject(preprocess);
    expect(pipeline.answer).toMatchObject({ task: 'detect', ...answer });
    expect(image?.name).toBe('images');
  });

  it('knows classifiers, with and without a background class', () => {
    const { pipeline } = look({ input: [1, 3, 224, 224], outputs: { y: [1, 1000] } });
    expect(pipeline.preprocess).toMatchObject({ resize: 'crop', color: 'RGB', std: [0.229, 0.224, 0.225] });
    expect(pipeline.answer).toEqual({ task: 'classify', labels: 'imagenet', background: false });
    expect(look({ outputs: { y: [1, 1001, 1, 1] } }).pipeline.answer).toMatchObject({
      labels: 'imagenet',
      background: true,
    });
    expect(look({ outputs: { y: [1, 7] } }).pipeline.answer).toMatchObject({
      task: 'classify',
      labels: 'none',
    });
  });

  it('knows the Caffe convention by the name of the input', () => {
    for (const inputName of ['data', 'data_0', 'gpu_0/data_0']) {
      expect(look({ inputName, outputs: { y: [1, 1000, 1, 1] } }).pipeline.preprocess).toMatchObject({
        color: 'BGR',
        divide: 1,
      });
    }
    expect(look({ inputName: 'metadata', outputs: { y: [1, 1000] } }).pipeline.preprocess).toMatchObject({
      color: 'RGB',
    });
  });

  it.each([
    { outputs: { mask: [1, 21, 52, 52] } },
    { input: [1, 3, 156, 156], outputs: { image: [1, 3, 284, 284] } },
    { outputs: { a: [1, 10], b: [1, 4] } },
  ])('leaves %j as tensors', (model) => {
    expect(look(model as Case).pipeline.answer).toEqual({ task: 'tensors' });
    expect(look(model as Case).image).toBeDefined();
  });

  it.each([
    { input: [1, 128], outputs: { y: [1, 10] } },
    { input: [1, 3, 8, 8], dtype: 'int64', outputs: { y: [1, 10] } },
    { input: [4, 3, 8, 8], outputs: { y: [4, 10] } },
  ])('takes only raw tensors for %j', (model) => {
    expect(look(model as Case).image).toBeUndefined();
  });

  it.each([
    { input: [1, 1, 28, 28], outputs: { y: [1, 10] } },
    { input: [1, 28, 28, 1], outputs: { y: [1, 10] } },
    { input: [1, 3, 224, 224], dtype: 'uint8', outputs: { y: [1, 1000] } },
    { input: [1, 1, 416, 416], outputs: nanodet },
  ])('gives settings that suit the input of %j', (model) => {
    const { pipeline, image } = look(model as Case);
    const format = inputFormat(image as NonNullable<typeof image>, settle(pipeline).preprocess);
    expect(format.byteLength).toBeGreaterThan(0);
    if (format.dtype === 'uint8')
      expect([...format.table.slice(0, 256)]).toEqual(Array.from({ length: 256 }, (_, i) => i));
  });
});
