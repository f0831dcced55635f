/** The networks of the prediction bench: the zoo's at sizes that a slow device answers within a second, and one that is nowhere else. */

import { mobilenetv2 } from '../../zoo/mobilenetv2.ts';
import type { ZooNetwork } from '../../zoo/networks.ts';
import { resnet50 } from '../../zoo/resnet50.ts';
import { type Drawing, Sketch } from '../../zoo/sketch.ts';
import { vgg16 } from '../../zoo/vgg16.ts';
import { yolov2First } from '../../zoo/yolov2.ts';

/** Wide windows, depthwise layers, sums and a passthrough: what the others have, in other proportions. */
function mixed(): Drawing {
  const sketch = new Sketch();
  let x = sketch.picture(256);
  x = sketch.conv('stem', x, { channels: 24, kernel: 5, stride: 2, activation: 'leaky' });
  x = sketch.conv('wide', x, { channels: 48, kernel: 5, activation: 'relu' });
  x = sketch.maxPool('pool', x, 2, 2);
  for (const layer of ['first', 'second', 'third']) {
    let y = sketch.conv(`${layer}.depthwise`, x, {
      channels: x.channels,
      kernel: 3,
      groups: 'depthwise',
      activation: 'relu6',
    });
    y = sketch.conv(`${layer}.dense`, y, { channels: x.channels, kernel: 3, gain: 0.5 });
    x = sketch.add(layer, x, y);
  }
  const deep = sketch.conv('deep', x, { channels: 128, kernel: 3, stride: 2, activation: 'relu' });
  const passed = sketch.spaceToDepth('reorg', sketch.conv('through', x, { channels: 16, kernel: 1 }));
  x = sketch.concat('route', passed, deep);
  x = sketch.conv('join', x, { channels: 128, kernel: 3, activation: 'relu' });
  sketch.output(sketch.conv('head', x, { channels: 40, kernel: 1 }));
  return sketch;
}

export const PREDICTED_NETWORKS = [
  { name: 'vgg16-96', summary: 'VGG-16 of 96 x 96', draw: () => vgg16(96) },
  { name: 'resnet50-128', summary: 'ResNet-50 of 128 x 128', draw: () => resnet50(128) },
  { name: 'mobilenetv2-224', summary: 'MobileNetV2', draw: () => mobilenetv2(224) },
  { name: 'yolov2-16-304', summary: '16 layers of YOLOv2 of 304 x 304', draw: () => yolov2First(304) },
  { name: 'mixed-256', summary: 'windows of 5 x 5, depthwise layers, sums, a passthrough', draw: mixed },
] as const satisfies readonly ZooNetwork[];

export type NetworkName = (typeof PREDICTED_NETWORKS)[number]['name'];
