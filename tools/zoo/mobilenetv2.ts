/**
 * MobileNetV2 at width 1.0 of Sandler, Howard, Zhu, Zhmoginov and Chen 2018, "MobileNetV2: Inverted Residuals and
 * Linear Bottlenecks", arXiv 1801.04381, table 2.
 */

import { type Drawing, Sketch, type Value } from './sketch.ts';

/** Expansion t, output channels c, repeats n and stride s of the first, as in the table. */
const STAGES = [
  { t: 1, c: 16, n: 1, s: 1 },
  { t: 6, c: 24, n: 2, s: 2 },
  { t: 6, c: 32, n: 3, s: 2 },
  { t: 6, c: 64, n: 4, s: 2 },
  { t: 6, c: 96, n: 3, s: 1 },
  { t: 6, c: 160, n: 3, s: 2 },
  { t: 6, c: 320, n: 1, s: 1 },
] as const;

/** Ten sums must not grow: each adds a quarter of the variance it finds. */
const GAIN = 0.5;

function inverted(
  sketch: Sketch,
  name: string,
  x: Value,
  t: number,
  channels: number,
  stride: number,
): Value {
  const inner = x.channels * t;
  let y = x;
  if (t > 1) y = sketch.conv(`${name}.expand`, y, { channels: inner, kernel: 1, activation: 'relu6' });
  y = sketch.conv(`${name}.depthwise`, y, {
    channels: inner,
    kernel: 3,
    stride,
    groups: 'depthwise',
    activation: 'relu6',
  });
  const summed = stride === 1 && x.channels === channels;
  y = sketch.conv(`${name}.project`, y, { channels, kernel: 1, gain: summed ? GAIN : 1 });
  return summed ? sketch.add(name, x, y) : y;
}

/** Picture [1, 3, size, size], 1000 logits. */
export function mobilenetv2(size = 224): Drawing {
  const sketch = new Sketch();
  let x = sketch.picture(size);
  x = sketch.conv('stem', x, { channels: 32, kernel: 3, stride: 2, activation: 'relu6' });
  for (const [stage, { t, c, n, s }] of STAGES.entries()) {
    for (let block = 0; block < n; block++)
      x = inverted(sketch, `stage${stage + 1}.${block}`, x, t, c, block === 0 ? s : 1);
  }
  x = sketch.conv('head', x, { channels: 1280, kernel: 1, activation: 'relu6' });
  x = sketch.flatten('flatten', sketch.globalAverage('average', x));
  sketch.output(sketch.dense('logits', x, 1000));
  return sketch;
}
