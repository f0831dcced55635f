/** The zoo's table: which networks there are, and what is published of each. */

import { mobilenetv2 } from './mobilenetv2.ts';
import { resnet50 } from './resnet50.ts';
import type { Drawing } from './sketch.ts';
import { vgg16 } from './vgg16.ts';
import { yolov2, yolov2First } from './yolov2.ts';

export interface ZooNetwork {
  readonly name: string;
  /** One line for people. */
  readonly summary: string;
  draw(): Drawing;
}

export const NETWORKS: readonly ZooNetwork[] = [
  { name: 'vgg16', summary: 'VGG-16, 224 x 224, arXiv 1409.1556', draw: vgg16 },
  { name: 'yolov2', summary: 'YOLOv2 for COCO, 608 x 608, arXiv 1612.08242', draw: yolov2 },
  { name: 'yolov2-16', summary: "the first 16 layers of YOLOv2, DeepThings' case", draw: yolov2First },
  { name: 'mobilenetv2', summary: 'MobileNetV2 1.0, 224 x 224, arXiv 1801.04381', draw: mobilenetv2 },
  { name: 'resnet50', summary: 'ResNet-50 v1.5, 224 x 224, arXiv 1512.03385', draw: resnet50 },
];
