/** Draws a convolutional network: nodes, shapes and the weights it will need, none of which exist yet. */

import { constantOf } from '../../services/core/graph/constant.ts';
import type { AttributeValue, Constant } from '../../services/core/graph/types.ts';
import type { NodeSpec, ValueSpec } from '../../services/core/graph/write.ts';

/** One tensor of a network: batch 1, or a vector where rows and columns are both 0. */
export interface Value {
  readonly name: string;
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
  /** Whether its numbers come out of a rectifier: their mean is far above 0. */
  readonly rectified?: boolean;
}

/** Weights to be drawn from a normal distribution around 0. */
export interface Weight {
  readonly name: string;
  /** Output channels first. */
  readonly shape: readonly number[];
  /** Standard deviation. */
  readonly deviation: number;
  /** Share of its mean that is taken from the weights of each output channel; absent: none. */
  readonly centred?: number;
}

/** A network without its weights. */
export interface Drawing {
  readonly nodes: readonly NodeSpec[];
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  /** Small ones that are part of the topology, as the bounds of a Clip. */
  readonly constants: readonly Constant[];
  readonly weights: readonly Weight[];
}

export type Activation = 'none' | 'relu' | 'relu6' | 'leaky';

export interface ConvOptions {
  readonly channels: number;
  /** Square; the padding is half of it, so that a stride of 1 keeps the size. */
  readonly kernel: number;
  readonly stride?: number;
  /** 'depthwise': one group per channel. */
  readonly groups?: 'depthwise';
  readonly activation?: Activation;
  /** Factor on the output's deviation; below 1 for terms of a sum, so that deep sums do not grow. */
  readonly gain?: number;
}

/** Slope of YOLO's LeakyRelu. */
const SLOPE = 0.1;
/** Deviation of biases: enough that a bias in the wrong place shows. */
const BIAS = 0.02;

/**
 * Square root of 2 / (1 + slope^2): He et al. 2015, "Delving Deep into Rectifiers", arXiv 1502.01852, equation 15:
 * with it the mean square of activations neither dies nor explodes.
 */
const GAINS: Readonly<Record<Activation, number>> = {
  none: 1,
  relu: Math.SQRT2,
  relu6: Math.SQRT2,
  leaky: Math.sqrt(2 / (1 + SLOPE ** 2)),
};

/**
 * Rectified activations share a positive mean, and after tens of layers of random weights nothing else is left: all
 * pictures look alike. Taking half the mean from each filter keeps them apart, while rounding errors, which grow with
 * the differences, stay below 1e-5.
 */
const CENTRED = 0.5;
/** Of the mean square of rectified normal numbers 1 / pi is their squared mean; a centred filter sees a quarter of it. */
const CENTRED_GAIN = 1 / Math.sqrt(1 - (1 - (1 - CENTRED) ** 2) / Math.PI);

export class Sketch implements Drawing {
  readonly nodes: NodeSpec[] = [];
  readonly inputs: ValueSpec[] = [];
  readonly outputs: ValueSpec[] = [];
  readonly constants: Constant[] = [];
  readonly weights: Weight[] = [];

  /** A picture of three channels. */
  picture(size: number): Value {
    this.inputs.push({ name: 'image', dtype: 'float32', shape: [1, 3, size, size] });
    return { name: 'image', channels: 3, rows: size, columns: size };
  }

  output(value: Value): void {
    const { name, channels, rows, columns } = value;
    const shape = rows === 0 ? [1, channels] : [1, channels, rows, columns];
    this.outputs.push({ name, dtype: 'float32', shape });
  }

  /** A convolution with the batch normalisation of its training folded in, and its activation. */
  conv(name: string, x: Value, options: ConvOptions): Value {
    const { channels, kernel, stride = 1, activation = 'none', gain = 1 } = options;
    const group = options.groups === 'depthwise' ? x.channels : 1;
    const fanIn = (x.channels / group) * kernel * kernel;
    const shape = [channels, x.channels / group, kernel, kernel];
    const deviation = (gain * GAINS[activation]) / Math.sqrt(fanIn);
    // A depthwise filter without its mean would see edges only.
    this.#draw(name, shape, deviation, x.rectified === true && group === 1);
    const pad = (kernel - 1) / 2;
    const extent = (size: number) => Math.floor((size - 1) / stride) + 1;
    const made = { name, channels, rows: extent(x.rows), columns: extent(x.columns) };
    const linear = activation === 'none' ? made : { ...made, name: `${name}/conv` };
    this.#add('Conv', linear, [x.name, `${name}.weight`, `${name}.bias`], {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
      group,
    });
    return activation === 'none' ? made : this.#activate(made, linear, activation);
  }

  /** A fully connected layer of a vector. */
  dense(name: string, x: Value, channels: number, activation: Activation = 'none'): Value {
    const deviation = GAINS[activation] / Math.sqrt(x.channels);
    this.#draw(name, [channels, x.channels], deviation, x.rectified === true);
    const made = { name, channels, rows: 0, columns: 0 };
    const linear = activation === 'none' ? made : { ...made, name: `${name}/gemm` };
    this.#add('Gemm', linear, [x.name, `${name}.weight`, `${name}.bias`], { transB: 1 });
    return activation === 'none' ? made : this.#activate(made, linear, activation);
  }

  /** `pad` rows and columns on every side. */
  maxPool(name: string, x: Value, kernel: number, stride: number, pad = 0): Value {
    const extent = (size: number) => Math.floor((size + 2 * pad - kernel) / stride) + 1;
    const made = { ...x, name, rows: extent(x.rows), columns: extent(x.columns) };
    return this.#add('MaxPool', made, [x.name], {
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    });
  }

  globalAverage(name: string, x: Value): Value {
    return this.#add('GlobalAveragePool', { ...x, name, rows: 1, columns: 1 }, [x.name]);
  }

  /** A map as a vector. */
  flatten(name: string, x: Value): Value {
    const channels = x.channels * x.rows * x.columns;
    return this.#add('Flatten', { ...x, name, channels, rows: 0, columns: 0 }, [x.name]);
  }

  add(name: string, a: Value, b: Value): Value {
    return this.#add('Add', { ...a, name }, [a.name, b.name]);
  }

  relu(name: string, x: Value): Value {
    return this.#activate({ ...x, name }, x, 'relu');
  }

  /** Blocks of 2 x 2 positions become channels. */
  spaceToDepth(name: string, x: Value): Value {
    const made = { ...x, name, channels: x.channels * 4, rows: x.rows / 2, columns: x.columns / 2 };
    return this.#add('SpaceToDepth', made, [x.name], { blocksize: 2 });
  }

  concat(name: string, a: Value, b: Value): Value {
    return this.#add('Concat', { ...a, name, channels: a.channels + b.channels }, [a.name, b.name], {
      axis: 1,
    });
  }

  #activate(linear: Value, x: Value, activation: Activation): Value {
    const made = { ...linear, rectified: true };
    switch (activation) {
      case 'relu':
        return this.#add('Relu', made, [x.name]);
      case 'leaky':
        return this.#add('LeakyRelu', made, [x.name], { alpha: SLOPE });
      case 'relu6':
        return this.#add('Clip', made, [x.name, this.#bound(0), this.#bound(6)]);
      case 'none':
        return x;
    }
  }

  #draw(name: string, shape: readonly number[], deviation: number, centred: boolean): void {
    const weight = { name: `${name}.weight`, shape, deviation };
    this.weights.push(
      centred ? { ...weight, deviation: deviation * CENTRED_GAIN, centred: CENTRED } : weight,
    );
    this.weights.push({ name: `${name}.bias`, shape: shape.slice(0, 1), deviation: BIAS });
  }

  #bound(value: number): string {
    const name = `bound.${value}`;
    if (this.constants.every((constant) => constant.name !== name))
      this.constants.push(constantOf(name, 'float32', [], [value]));
    return name;
  }

  #add(
    op: string,
    made: Value,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): Value {
    this.nodes.push({
      name: made.name,
      op,
      inputs,
      outputs: [made.name],
      attributes: new Map(Object.entries(attributes)),
    });
    return made;
  }
}
