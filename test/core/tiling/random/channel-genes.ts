/** Genes that look at one position, along channels, or at everything. */

import { float } from '../../../support/model-builder.ts';
import { randomValues } from '../../../support/random-values.ts';
import type { Growth, Map4 } from './growth.ts';

export function unary(g: Growth, x: Map4): Map4 {
  const ops = ['Relu', 'LeakyRelu', 'Sigmoid', 'Tanh', 'HardSigmoid', 'Elu', 'Abs', 'Neg', 'Softplus', 'Erf'];
  return { ...x, name: g.node(g.pick(ops), [x.name]) };
}

export function clip(g: Growth, x: Map4): Map4 {
  const limits = [-0.5, 0.5].map((limit) => {
    const name = g.fresh();
    g.builder.constant(name, [], [limit]);
    return name;
  });
  return { ...x, name: g.node('Clip', [x.name, ...limits]) };
}

/** With a constant that repeats along some axes, or along none. */
export function withConstant(g: Growth, x: Map4): Map4 {
  const { channels, rows, columns } = x;
  const shape = g.pick([
    [],
    [1],
    [channels, 1, 1],
    [1, channels, 1, 1],
    [1, 1, rows, columns],
    [rows, 1],
    [columns],
    [1, channels, rows, columns],
  ]);
  return { ...x, name: g.node(g.pick(['Add', 'Mul', 'Sub', 'Max']), [x.name, g.constant(shape)]) };
}

export function prelu(g: Growth, x: Map4): Map4 {
  const shape = g.pick([[1], [x.channels, 1, 1], [x.rows, x.columns], [1, 1, x.columns]]);
  return { ...x, name: g.node('PRelu', [x.name, g.constant(shape, 0, 0.5)]) };
}

export function where(g: Growth, x: Map4): Map4 {
  const mask = g.fresh();
  const shape = g.pick([
    [x.rows, x.columns],
    [x.channels, 1, 1],
  ]);
  g.builder.constant(
    mask,
    shape,
    Array.from(randomValues(mask, shape), (value) => (value > 0 ? 1 : 0)),
    'bool',
  );
  return { ...x, name: g.node('Where', [mask, x.name, g.constant([1])]) };
}

/** A residual sum, or a sum of whatever repeats to the same shape. */
export function binary(g: Growth, x: Map4, y: Map4): Map4 | undefined {
  const same = [y, ...g.maps].find(
    (map) =>
      map.name !== x.name &&
      map.rows === x.rows &&
      map.columns === x.columns &&
      (map.channels === x.channels || map.channels === 1),
  );
  if (same === undefined) return undefined;
  return { ...x, name: g.node(g.pick(['Add', 'Mul', 'Sub', 'Sum', 'Mean']), [x.name, same.name]) };
}

export function concat(g: Growth, x: Map4, y: Map4): Map4 | undefined {
  const others = [y, ...g.maps].filter(
    (map) => map.name !== x.name && map.rows === x.rows && map.columns === x.columns,
  );
  const other = others[0];
  if (other === undefined || !g.fits(x.channels + other.channels, x.rows, x.columns)) return undefined;
  return {
    ...x,
    channels: x.channels + other.channels,
    name: g.node('Concat', [x.name, other.name], { axis: g.pick([1, -3]) }),
  };
}

export function split(g: Growth, x: Map4): Map4[] | undefined {
  if (x.channels < 2) return undefined;
  const first = 1 + g.next(x.channels - 1);
  const names = [g.fresh(), g.fresh()];
  g.read.add(x.name);
  if (g.opset < 13) g.builder.node('Split', [x.name], names, { axis: 1, split: [first, x.channels - first] });
  else g.builder.node('Split', [x.name, g.ints([first, x.channels - first])], names, { axis: 1 });
  return [first, x.channels - first].map((channels, index) => ({
    ...x,
    channels,
    name: names[index] as string,
  }));
}

export function batchNorm(g: Growth, x: Map4): Map4 {
  const parameters = [
    g.constant([x.channels], 0.5, 1.5),
    g.constant([x.channels]),
    g.constant([x.channels]),
    g.constant([x.channels], 0.5, 1.5),
  ];
  return { ...x, name: g.node('BatchNormalization', [x.name, ...parameters]) };
}

export function lrn(g: Growth, x: Map4): Map4 {
  return { ...x, name: g.node('LRN', [x.name], { size: g.pick([1, 3, 5]), alpha: float(0.1) }) };
}

export function shuffle(g: Growth, x: Map4): Map4 | undefined {
  const { channels, rows, columns } = x;
  const groups = [2, 3].find((count) => channels % count === 0);
  if (groups === undefined) return undefined;
  const split = g.node('Reshape', [x.name, g.ints([1, groups, channels / groups, rows, columns])]);
  const turned = g.node('Transpose', [split], { perm: [0, 2, 1, 3, 4] });
  return { ...x, name: g.node('Reshape', [turned, g.ints([1, -1, rows, columns])]) };
}

export function softmax(g: Growth, x: Map4): Map4 {
  return { ...x, name: g.node(g.pick(['Softmax', 'LogSoftmax']), [x.name], { axis: 1 }) };
}

/** Something done with the channels last. */
export function channelsLast(g: Growth, x: Map4): Map4 {
  const last = g.node('Transpose', [x.name], { perm: [0, 2, 3, 1] });
  const { channels, rows } = x;
  let inner: string;
  let made = channels;
  switch (g.next(5)) {
    case 0:
      made = 1 + g.next(4);
      inner = g.node('MatMul', [last, g.weights([channels, made], channels)]);
      break;
    case 1:
      inner = g.node('Softmax', [last], { axis: g.opset < 13 ? 3 : -1 });
      break;
    case 2:
      inner = g.node('Add', [last, g.constant(g.pick([[channels], [rows, 1, 1]]))]);
      break;
    case 3:
      if (g.opset >= 17 && channels > 1) {
        inner = g.node('LayerNormalization', [last, g.constant([channels]), g.constant([channels])], {
          epsilon: float(0.01),
        });
        break;
      }
      inner = g.node('Tanh', [last]);
      break;
    default:
      inner = g.node('ReduceL2', [last], { keepdims: 1, ...(g.opset < 18 ? { axes: [3] } : {}) });
      if (g.opset >= 18) inner = g.node('ReduceMean', [last, g.ints([-1])], { keepdims: 1 });
      made = 1;
  }
  return { ...x, channels: made, name: g.node('Transpose', [inner], { perm: [0, 3, 1, 2] }) };
}

/** A mean over channels without keeping the axis, and the axis put back. */
export function reduce(g: Growth, x: Map4): Map4 {
  const inner =
    g.opset < 18
      ? g.node('ReduceMean', [x.name], { axes: [1], keepdims: 0 })
      : g.node('ReduceMean', [x.name, g.ints([1])], { keepdims: 0 });
  const back =
    g.opset < 13 ? g.node('Unsqueeze', [inner], { axes: [1] }) : g.node('Unsqueeze', [inner, g.ints([1])]);
  return { ...x, channels: 1, name: back };
}

export function gather(g: Growth, x: Map4): Map4 {
  const count = 1 + g.next(4);
  const indices = Array.from({ length: count }, () => g.next(x.channels));
  return { ...x, channels: count, name: g.node('Gather', [x.name, g.ints(indices)], { axis: 1 }) };
}

/** Squeeze-and-excite: a global pool inside, its result repeated over the map. */
export function excite(g: Growth, x: Map4): Map4 {
  const pooled = g.node('GlobalAveragePool', [x.name]);
  const mixed = g.node('Conv', [pooled, g.weights([x.channels, x.channels, 1, 1], x.channels)]);
  return { ...x, name: g.node('Mul', [x.name, g.node('Sigmoid', [mixed])]) };
}

export function instanceNorm(g: Growth, x: Map4): Map4 {
  return {
    ...x,
    name: g.node('InstanceNormalization', [x.name, g.constant([x.channels]), g.constant([x.channels])]),
  };
}

/** A global mean stretched over the map again: extent 1 becomes many. */
export function expand(g: Growth, x: Map4): Map4 {
  const pooled = g.node('GlobalMaxPool', [x.name]);
  const wide = g.node('Expand', [pooled, g.ints([1, 1, x.rows, x.columns])]);
  return { ...x, name: g.node('Add', [wide, x.name]) };
}

/** A mean over all of a map, or over its rows or columns alone, that two layers read. */
export function mean(g: Growth, x: Map4): Map4 {
  const { rows, columns } = x;
  const axes = g.pick([[2, 3], [2, 3], [-1, -2], [2], [3]]);
  const op = g.pick(['GlobalAveragePool', 'AveragePool', 'ReduceMean', 'ReduceMean']);
  let made: string;
  if (op === 'GlobalAveragePool') made = g.node(op, [x.name]);
  else if (op === 'AveragePool') made = g.node(op, [x.name], { kernel_shape: [rows, columns] });
  else if (g.opset < 18) made = g.node(op, [x.name], { axes, keepdims: 1 });
  else made = g.node(op, [x.name, g.ints(axes)], { keepdims: 1 });
  return { ...x, name: g.node('Mul', [g.node('Sub', [x.name, made]), g.node('Sigmoid', [made])]) };
}

/** A layer that reads all of a map, its bias and its weights either way around; its results weigh the channels. */
export function dense(g: Growth, x: Map4): Map4 {
  const { channels, rows, columns } = x;
  const elements = channels * rows * columns;
  const flat = g.next(2) ? g.node('Flatten', [x.name]) : g.node('Reshape', [x.name, g.ints([1, elements])]);
  const turned = g.next(2);
  const w = g.weights(turned ? [channels, elements] : [elements, channels], elements);
  const made =
    g.next(3) === 0 && !turned
      ? g.node('MatMul', [flat, w])
      : g.node('Gemm', [flat, w, ...(g.next(2) ? [g.constant([channels])] : [])], { transB: turned });
  const weights = g.node('Reshape', [g.node('Sigmoid', [made]), g.ints([1, channels, 1, 1])]);
  return { ...x, name: g.node('Mul', [x.name, weights]) };
}
