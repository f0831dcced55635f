/**
 * VGG-16, configuration D of Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image
 * Recognition", arXiv 1409.1556, table 1: thirteen 3 x 3 convolutions, five pools, three fully connected layers.
 */

import { type Drawing, Sketch, type Value } from './sketch.ts';

/** Channels of each convolution, stage by stage; a pool ends each stage. */
const STAGES = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
] as const;

/** Picture [1, 3, size, size], 1000 logits. */
export function vgg16(size = 224): Drawing {
  const sketch = new Sketch();
  let x: Value = sketch.picture(size);
  for (const [stage, layers] of STAGES.entries()) {
    for (const [layer, channels] of layers.entries())
      x = sketch.conv(`conv${stage + 1}_${layer + 1}`, x, { channels, kernel: 3, activation: 'relu' });
    x = sketch.maxPool(`pool${stage + 1}`, x, 2, 2);
  }
  x = sketch.flatten('flatten', x);
  x = sketch.dense('fc6', x, 4096, 'relu');
  x = sketch.dense('fc7', x, 4096, 'relu');
  sketch.output(sketch.dense('logits', x, 1000));
  return sketch;
}
