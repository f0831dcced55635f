/** What a network most likely is, told by the shapes of its inputs and outputs and by names its kind is known for. */

import type { TensorInfo } from '../graph/types.ts';
import type { Answer, Pipeline, Preprocess } from '../schema/generated/pipeline.ts';
import { classCount } from './classify.ts';
import { type HeadName, typicalHead } from './heads/heads.ts';
import type { Size } from './letterbox.ts';
import { imageAxes, pictureType } from './preprocess.ts';

export interface Recognition {
  /** What is known; a lower layer than the configuration: `settle(recognition.pipeline, configured)`. */
  readonly pipeline: Pipeline;
  /** The input that takes the picture; undefined where frames must be raw tensors. */
  readonly image: TensorInfo | undefined;
  /** What was recognised, by what, for people. */
  readonly because: string;
}

export interface Signature {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Name of the model or of its file; may be empty. */
  readonly name: string;
}

const STRIDES = [8, 16, 32];

/** How networks of each head are usually trained to see pictures. */
const DETECTORS: Readonly<Record<HeadName, { preprocess: Preprocess; answer: Answer }>> = {
  yolox: {
    preprocess: { resize: 'letterbox', anchor: 'top-left', fill: 114, color: 'BGR', divide: 1 },
    answer: { threshold: 0.3, iou: 0.45 },
  },
  yolov5: {
    preprocess: { resize: 'letterbox', anchor: 'center', fill: 114, color: 'RGB', divide: 255 },
    answer: { threshold: 0.25, iou: 0.45 },
  },
  yolov8: {
    preprocess: { resize: 'letterbox', anchor: 'center', fill: 114, color: 'RGB', divide: 255 },
    answer: { threshold: 0.25, iou: 0.7 },
  },
  nanodet: {
    preprocess: {
      resize: 'letterbox',
      anchor: 'center',
      fill: 0,
      color: 'BGR',
      divide: 1,
      mean: [103.53, 116.28, 123.675],
      std: [57.375, 57.12, 58.395],
    },
    answer: { threshold: 0.35, iou: 0.6 },
  },
  ssd: {
    preprocess: { resize: 'stretch', color: 'RGB', divide: 1, mean: [127], std: [128] },
    answer: { threshold: 0.7, iou: 0.3, background: true },
  },
  grid: {
    preprocess: { resize: 'letterbox', anchor: 'center', fill: 114, color: 'RGB', divide: 255 },
    answer: { threshold: 0.4, iou: 0.45 },
  },
};

const IMAGENET: Preprocess = {
  resize: 'crop',
  cropRatio: 0.875,
  color: 'RGB',
  divide: 255,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** Networks converted from Caffe name their input `data`: BGR less the mean of ImageNet, not scaled. */
const CAFFE: Preprocess = { resize: 'crop', color: 'BGR', divide: 1, mean: [104, 117, 123] };
const CAFFE_INPUT = /(^|\/)data(_0)?$/;

/** Recognises a model; what it cannot tell is answered as raw tensors. Everything it says can be configured away. */
export function recognise({ inputs, outputs, name }: Signature): Recognition {
  const [image] = inputs;
  const axes = image === undefined ? undefined : imageAxes(image.shape);
  if (
    image === undefined ||
    axes === undefined ||
    inputs.length > 1 ||
    pictureType(image.dtype) === undefined
  ) {
    return {
      pipeline: { answer: { task: 'tensors' } },
      image: undefined,
      because: 'there is no single input that takes a picture: frames are raw tensors',
    };
  }
  const shapes = outputs.map(({ shape }) => `[${shape.join(', ')}]`).join(', ');
  const recognition = (preprocess: Preprocess, answer: Answer, because: string): Recognition => ({
    pipeline: { preprocess: suited(preprocess, image, axes.channels), answer },
    image,
    because,
  });
  const head = headOf(outputs, axes, name);
  if (head !== undefined) {
    const { preprocess, answer } = DETECTORS[head];
    const labels = labelsOf(head, outputs, name);
    return recognition(
      preprocess,
      { ...answer, task: 'detect', head, labels, strides: STRIDES },
      `outputs ${shapes} of a ${axes.width}x${axes.height} picture are those of a ${head} head`,
    );
  }
  const classes = outputs.length === 1 ? classCount(outputs[0] as TensorInfo) : undefined;
  if (classes !== undefined) {
    const caffe = CAFFE_INPUT.test(image.name);
    const labels = classes === 1000 || classes === 1001 ? 'imagenet' : 'none';
    return recognition(
      caffe ? CAFFE : IMAGENET,
      { task: 'classify', labels, background: classes === 1001 },
      `output ${shapes} is one score per class${caffe ? `, input "${image.name}" is named as Caffe does` : ''}`,
    );
  }
  return recognition(
    { resize: 'stretch', color: 'RGB', divide: 255 },
    { task: 'tensors' },
    `outputs ${shapes} are those of no known detector or classifier`,
  );
}

/** Statistics of three colours mean nothing for one channel, and an input of bytes takes the pixels as they are. */
function suited(preprocess: Preprocess, { dtype }: TensorInfo, channels: 1 | 3): Preprocess {
  const { mean, std, ...rest } = preprocess;
  if (dtype === 'uint8') return { ...rest, color: channels === 1 ? 'GRAY' : 'RGB', divide: 1 };
  return channels === 1 ? { ...rest, color: 'GRAY', divide: 255 } : preprocess;
}

function headOf(outputs: readonly TensorInfo[], input: Size, name: string): HeadName | undefined {
  const head = typicalHead(outputs, input, STRIDES);
  // YOLOv6 has the shapes of YOLOX, with its boxes decoded.
  if (head === 'yolox' && /yolo-?v6/i.test(name)) return 'yolov5';
  // A segmentation map has the same shape as a cell map: only a name tells them apart.
  if (head === 'grid' && !/grid|detect/i.test(`${name} ${outputs[0]?.name}`)) return undefined;
  return head;
}

function labelsOf(head: HeadName, outputs: readonly TensorInfo[], name: string): 'coco' | 'face' | 'none' {
  const has = (axis: number, extent: number): boolean => outputs.some(({ shape }) => shape[axis] === extent);
  switch (head) {
    case 'yolox':
    case 'yolov5':
      return has(2, 85) ? 'coco' : 'none';
    case 'yolov8':
      return has(1, 84) ? 'coco' : 'none';
    case 'nanodet':
      return has(2, 80) ? 'coco' : 'none';
    case 'ssd':
      if (has(2, 81)) return 'coco';
      return has(2, 2) && /rfb|slim|ultra|face/i.test(name) ? 'face' : 'none';
    case 'grid':
      return 'none';
  }
}
