/**
 * YOLOv2 for COCO of Redmon and Farhadi 2016, "YOLO9000: Better, Faster, Stronger", arXiv 1612.08242: Darknet-19
 * without its classifier (table 6), then the detector of section 2 with its passthrough layer, as in darknet's
 * yolov2.cfg. Darknet's reorg layer shuffles channels in an order of its own; here it is SpaceToDepth, which moves
 * the same elements and is what a converter makes of it.
 */

import { type Drawing, Sketch, type Value } from './sketch.ts';

/** Darknet-19 without its classifier: channels of each convolution, alternately 3 x 3 and 1 x 1 after a pool. */
const DARKNET = [
  ...[32, 'pool', 64, 'pool', 128, 64, 128, 'pool', 256, 128, 256, 'pool'],
  ...[512, 256, 512, 256, 512, 'pool', 1024, 512, 1024, 512, 1024],
] as const;
const LAST_POOL = DARKNET.lastIndexOf('pool');

/** Five boxes of four coordinates, an objectness and 80 classes. */
const OUTPUTS = 5 * (5 + 80);
const SIZE = 608;
/** What DeepThings fuses, counting pools. */
const FUSED_LAYERS = 16;

/** Draws layers `from` to `to` of Darknet-19. */
function darknet(sketch: Sketch, x: Value, from: number, to: number): Value {
  const counted = (end: number) => DARKNET.slice(0, end).filter((layer) => layer !== 'pool').length;
  let y = x;
  for (let at = from; at < to; at++) {
    const layer = DARKNET[at];
    const inStage = at - 1 - DARKNET.lastIndexOf('pool', at);
    if (typeof layer === 'number') y = conv(sketch, counted(at + 1), y, layer, inStage % 2 === 0 ? 3 : 1);
    else y = sketch.maxPool(`pool${at - counted(at) + 1}`, y, 2, 2);
  }
  return y;
}

function conv(sketch: Sketch, number: number, x: Value, channels: number, kernel: number): Value {
  return sketch.conv(`conv${number}`, x, { channels, kernel, activation: 'leaky' });
}

/** Picture [1, 3, 608, 608], boxes of each cell [1, 425, 19, 19]; 23 convolutions. */
export function yolov2(): Drawing {
  const sketch = new Sketch();
  const passed = darknet(sketch, sketch.picture(SIZE), 0, LAST_POOL);
  let y = darknet(sketch, passed, LAST_POOL, DARKNET.length);
  y = conv(sketch, 19, y, 1024, 3);
  y = conv(sketch, 20, y, 1024, 3);
  const through = conv(sketch, 21, passed, 64, 1);
  y = sketch.concat('route', sketch.spaceToDepth('reorg', through), y);
  y = conv(sketch, 22, y, 1024, 3);
  sketch.output(sketch.conv('conv23', y, { channels: OUTPUTS, kernel: 1 }));
  return sketch;
}

/**
 * The first 16 layers of it, 12 convolutions and 4 pools, of a picture of 608 to [1, 256, 38, 38]: what Zhao, Mirzazad Barijough and
 * Gerstlauer 2018, "DeepThings: Distributed Adaptive Deep Learning Inference on Resource-Constrained IoT Edge
 * Clusters", IEEE TCAD 37 (11), fuse and cut into tiles.
 */
export function yolov2First(size = SIZE): Drawing {
  const sketch = new Sketch();
  sketch.output(darknet(sketch, sketch.picture(size), 0, FUSED_LAYERS));
  return sketch;
}
