/**
 * ResNet-50 of He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", arXiv 1512.03385,
 * table 1, with the stride of a stage in the 3 x 3 convolution of its first bottleneck ("v1.5", as torchvision and
 * every published file of the last years have it), which makes 4.1 GMAC of the paper's 3.8.
 */

import { type Drawing, Sketch, type Value } from './sketch.ts';

/** Inner channels, bottlenecks and stride of the four stages. */
const STAGES = [
  { inner: 64, blocks: 3, stride: 1 },
  { inner: 128, blocks: 4, stride: 2 },
  { inner: 256, blocks: 6, stride: 2 },
  { inner: 512, blocks: 3, stride: 2 },
] as const;

const EXPANSION = 4;
/** Sixteen sums must not grow: each adds a quarter of the variance it finds. */
const GAIN = 0.5;

function bottleneck(sketch: Sketch, name: string, x: Value, inner: number, stride: number): Value {
  const channels = inner * EXPANSION;
  let y = sketch.conv(`${name}.conv1`, x, { channels: inner, kernel: 1, activation: 'relu' });
  y = sketch.conv(`${name}.conv2`, y, { channels: inner, kernel: 3, stride, activation: 'relu' });
  y = sketch.conv(`${name}.conv3`, y, { channels, kernel: 1, gain: GAIN });
  const same = stride === 1 && x.channels === channels;
  const skip = same ? x : sketch.conv(`${name}.downsample`, x, { channels, kernel: 1, stride });
  return sketch.relu(name, sketch.add(`${name}.sum`, y, skip));
}

/** Picture [1, 3, size, size], 1000 logits. */
export function resnet50(size = 224): Drawing {
  const sketch = new Sketch();
  let x = sketch.picture(size);
  x = sketch.conv('conv1', x, { channels: 64, kernel: 7, stride: 2, activation: 'relu' });
  x = sketch.maxPool('pool1', x, 3, 2, 1);
  for (const [stage, { inner, blocks, stride }] of STAGES.entries()) {
    for (let block = 0; block < blocks; block++)
      x = bottleneck(sketch, `layer${stage + 1}.${block}`, x, inner, block === 0 ? stride : 1);
  }
  x = sketch.flatten('flatten', sketch.globalAverage('average', x));
  sketch.output(sketch.dense('logits', x, 1000));
  return sketch;
}
