/**
 * The plans that are predicted and then run: none of them, nor any other plan on several devices, was measured for a
 * profile or for the figures of hub and links.
 */

import type { Strategy } from '../../../services/core/planning/draft.ts';
import { gridCover } from '../../../services/core/tiling/cover.ts';
import type { Cover } from '../../../services/core/tiling/types.ts';
import type { NetworkName } from './networks.ts';

/** Blocks cut after nodes by name, each on devices of its own, or all on all; a cover for each or for all. */
export interface HandMade {
  readonly cuts: readonly string[];
  readonly covers?: Cover | readonly (Cover | undefined)[];
  /** Positions of devices for each block; absent: all of them, for all. */
  readonly on?: readonly (readonly number[])[];
  readonly late?: boolean;
}

/** What the search finds for an objective, where it may not stay on one device. */
export interface Searched {
  readonly objective: 'latency' | 'throughput';
  readonly strategies: readonly Strategy[];
}

export interface PredictedCase {
  readonly network: NetworkName;
  /** In a table. */
  readonly plan: string;
  /** Thousandths of a core of each device. */
  readonly devices: readonly number[];
  /** Of all devices and the hub. */
  readonly link: string;
  readonly how: HandMade | Searched;
  /** Frames under way at once. Default 1; of plans searched for throughput, what they ask for. */
  readonly inFlight?: number;
}

const SHARED = ['parallel', 'mixed'] as const;
const SEVERAL = ['pipeline', 'parallel', 'mixed', 'replicas'] as const;
const equal = (count: number, millicores: number): number[] => new Array<number>(count).fill(millicores);
const latency = { objective: 'latency', strategies: SHARED } as const;
const throughput = { objective: 'throughput', strategies: SEVERAL } as const;
/** Every frame whole, to whoever is free. */
const REPLICAS: HandMade = { cuts: [], late: true };

type Row = Omit<PredictedCase, 'network'>;

const BY_NETWORK: Readonly<Record<NetworkName, readonly Row[]>> = {
  'vgg16-96': [
    {
      plan: '2x2 tiles of three blocks, then whole',
      devices: equal(4, 200),
      link: '200mbit',
      how: {
        cuts: ['pool3', 'pool4', 'pool5'],
        covers: [gridCover(2, 2), gridCover(2, 2), gridCover(2, 2), undefined],
      },
    },
    {
      plan: 'pipeline of 3',
      devices: equal(3, 200),
      link: '50mbit',
      how: { cuts: ['pool2', 'pool4'], on: [[0], [1], [2]] },
    },
    { plan: 'searched', devices: [300, 200, 150, 100, 100], link: '100mbit', how: latency },
    { plan: 'searched', devices: equal(2, 200), link: '20mbit', how: latency },
    { plan: 'replicas', devices: equal(3, 200), link: '50mbit', how: REPLICAS, inFlight: 3 },
  ],
  'resnet50-128': [
    {
      plan: '2x1 tiles of two stages, then whole',
      devices: equal(2, 300),
      link: '100mbit',
      how: { cuts: ['layer2.3'], covers: [gridCover(2, 1), undefined] },
    },
    {
      plan: 'pipeline of 4',
      devices: equal(4, 150),
      link: '20mbit',
      how: { cuts: ['layer1.2', 'layer2.3', 'layer3.5'], on: [[0], [1], [2], [3]] },
    },
    { plan: 'searched', devices: equal(6, 150), link: '200mbit', how: latency },
    { plan: 'searched', devices: [300, 150, 150, 100], link: '50mbit', how: latency },
    { plan: 'searched, a stream', devices: [250, 200, 150, 100, 100], link: '50mbit', how: throughput },
  ],
  'mobilenetv2-224': [
    {
      plan: '3x1 tiles of three stages, then whole',
      devices: equal(3, 100),
      link: '100mbit',
      how: { cuts: ['stage3.2'], covers: [gridCover(3, 1), undefined] },
    },
    {
      plan: 'pipeline of 2',
      devices: equal(2, 100),
      link: '5mbit',
      how: { cuts: ['stage4.3'], on: [[0], [1]] },
    },
    { plan: 'searched', devices: [150, 100, 100, 50], link: '200mbit', how: latency },
    { plan: 'searched, a stream', devices: [150, 100, 100, 75, 50], link: '50mbit', how: throughput },
  ],
  'yolov2-16-304': [
    {
      plan: '3x3 tiles, to whoever is free',
      devices: equal(6, 150),
      link: '200mbit',
      how: { cuts: [], covers: gridCover(3, 3), late: true },
    },
    {
      plan: '2x2 tiles',
      devices: equal(4, 150),
      link: '50mbit',
      how: { cuts: [], covers: gridCover(2, 2) },
    },
    {
      plan: '3x2 and 3x1 tiles of two blocks',
      devices: equal(3, 250),
      link: '100mbit',
      how: { cuts: ['pool3'], covers: [gridCover(3, 2), gridCover(3, 1)] },
    },
    { plan: 'searched', devices: [250, 200, 150, 150, 100, 100], link: '200mbit', how: latency },
    {
      plan: 'pipeline of 3',
      devices: equal(3, 250),
      link: '100mbit',
      how: { cuts: ['pool2', 'pool3'], on: [[0], [1], [2]] },
    },
    {
      plan: '4x3 tiles of two frames',
      devices: equal(5, 150),
      link: '200mbit',
      how: { cuts: [], covers: gridCover(4, 3), late: true },
      inFlight: 2,
    },
  ],
  'mixed-256': [
    { plan: '2x1 tiles', devices: equal(2, 100), link: '20mbit', how: { cuts: [], covers: gridCover(2, 1) } },
    { plan: 'searched', devices: [200, 100, 100], link: '100mbit', how: latency },
    {
      plan: '4x1 tiles, to whoever is free',
      devices: equal(4, 100),
      link: '5mbit',
      how: { cuts: [], covers: gridCover(4, 1), late: true },
    },
    { plan: 'replicas', devices: equal(4, 100), link: '100mbit', how: REPLICAS, inFlight: 4 },
  ],
};

/** Cases of these networks, in the order of the table. */
export function casesOf(networks: readonly NetworkName[]): PredictedCase[] {
  return networks.flatMap((network) => BY_NETWORK[network].map((row) => ({ network, ...row })));
}
