/** Genes that lay a window, a new grid or a border over rows and columns. */

import { type AttributeInit, float } from '../../../support/model-builder.ts';
import type { Growth, Map4 } from './growth.ts';

export function conv(g: Growth, x: Map4): Map4 | undefined {
  const kernel = [1 + g.next(4), 1 + g.next(4)] as const;
  const strides = [g.pick([1, 1, 2, 3]), g.pick([1, 1, 2])] as const;
  const auto = g.pick(['NOTSET', 'NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID']);
  const dilations = auto.startsWith('SAME')
    ? ([1, 1] as const)
    : ([g.pick([1, 1, 2, 3]), g.pick([1, 1, 2])] as const);
  const group = g.pick([1, 1, x.channels]);
  const filters = group === 1 ? 1 + g.next(5) : x.channels * g.pick([1, 1, 2]);
  const pads = [0, 1, 2, 3].map((side) =>
    g.next((kernel[side % 2] as number) * (dilations[side % 2] as number) + 1),
  );
  const out = [x.rows, x.columns].map((extent, axis) => {
    const [k, s, d] = [kernel[axis] as number, strides[axis] as number, dilations[axis] as number];
    if (auto.startsWith('SAME')) return Math.ceil(extent / s);
    const padding = auto === 'VALID' ? 0 : (pads[axis] as number) + (pads[axis + 2] as number);
    return Math.floor((extent + padding - d * (k - 1) - 1) / s) + 1;
  }) as [number, number];
  if (!g.fits(filters, ...out)) return undefined;
  const w = g.weights([filters, x.channels / group, ...kernel], (x.channels / group) * kernel[0] * kernel[1]);
  const inputs = [x.name, w, ...(g.next(2) ? [g.constant([filters])] : [])];
  const name = g.node('Conv', inputs, {
    kernel_shape: [...kernel],
    strides: [...strides],
    dilations: [...dilations],
    group,
    ...(auto === 'NOTSET' ? { pads } : { auto_pad: auto }),
  });
  return g.map(name, filters, ...out);
}

export function deconv(g: Growth, x: Map4): Map4 | undefined {
  const kernel = [1 + g.next(4), 1 + g.next(4)] as const;
  const strides = [1 + g.next(3), 1 + g.next(3)] as const;
  const dilations = [g.pick([1, 1, 2]), g.pick([1, 1, 1, 2])] as const;
  const group = g.pick([1, 1, x.channels]);
  const perGroup = 1 + g.next(3);
  const auto = g.pick(['NOTSET', 'NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID']);
  const full = (extent: number, axis: number) =>
    (extent - 1) * (strides[axis] as number) +
    (dilations[axis] as number) * ((kernel[axis] as number) - 1) +
    1;
  const pads = [0, 1, 2, 3].map((side) => g.next(kernel[side % 2] as number));
  const added = [0, 1].map((axis) => g.next(strides[axis] as number));
  const out = [x.rows, x.columns].map((extent, axis) => {
    if (auto.startsWith('SAME')) return extent * (strides[axis] as number);
    const crop = auto === 'VALID' ? 0 : (pads[axis] as number) + (pads[axis + 2] as number);
    return full(extent, axis) + (auto === 'NOTSET' ? (added[axis] as number) : 0) - crop;
  }) as [number, number];
  // Where the kernel is shorter than the stride SAME would have to pad; executors disagree there.
  if (
    auto.startsWith('SAME') &&
    out.some((extent, axis) => extent > full(axis === 0 ? x.rows : x.columns, axis))
  )
    return undefined;
  const channels = perGroup * group;
  if (!g.fits(channels, ...out)) return undefined;
  const w = g.weights([x.channels, perGroup, ...kernel], (x.channels / group) * kernel[0]);
  const inputs = [x.name, w, ...(g.next(2) ? [g.constant([channels])] : [])];
  const name = g.node('ConvTranspose', inputs, {
    kernel_shape: [...kernel],
    strides: [...strides],
    dilations: [...dilations],
    group,
    ...(auto === 'NOTSET' ? { pads, output_padding: added } : { auto_pad: auto }),
  });
  return g.map(name, channels, ...out);
}

export function pool(g: Growth, x: Map4): Map4 | undefined {
  const op = g.pick(['MaxPool', 'MaxPool', 'AveragePool', 'AveragePool', 'LpPool']);
  const kernel = [1 + g.next(4), 1 + g.next(4)] as const;
  const strides = [1 + g.next(3), 1 + g.next(3)] as const;
  const dilated = op === 'MaxPool' || (op === 'AveragePool' && g.opset >= 19);
  const dilations = dilated ? ([g.pick([1, 1, 2]), g.pick([1, 1, 2])] as const) : ([1, 1] as const);
  const ceil = op === 'LpPool' ? 0 : g.next(2);
  const auto = ceil || dilated ? 'NOTSET' : g.pick(['NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID']);
  const pads = [0, 1, 2, 3].map((side) => g.next(kernel[side % 2] as number));
  const out = [x.rows, x.columns].map((extent, axis) => {
    const [k, s, d] = [kernel[axis] as number, strides[axis] as number, dilations[axis] as number];
    // A stride longer than the kernel may ask SAME for negative pads, which the executor refuses.
    if (auto.startsWith('SAME')) return k < s ? 0 : Math.ceil(extent / s);
    const [begin, end] = auto === 'VALID' ? [0, 0] : [pads[axis] as number, pads[axis + 2] as number];
    const span = extent + begin + end - d * (k - 1) - 1;
    if (span < 0) return 0;
    const outputs = (ceil ? Math.ceil(span / s) : Math.floor(span / s)) + 1;
    // Here the executor's shape inference counts one output more than its kernel makes.
    return ceil && (outputs - 1) * s >= extent + begin ? 0 : outputs;
  }) as [number, number];
  if (!g.fits(x.channels, ...out)) return undefined;
  const name = g.node(op, [x.name], {
    kernel_shape: [...kernel],
    strides: [...strides],
    ...(dilated ? { dilations: [...dilations] } : {}),
    ...(ceil ? { ceil_mode: 1 } : {}),
    ...(auto === 'NOTSET' ? { pads } : { auto_pad: auto }),
    ...(op === 'AveragePool' ? { count_include_pad: g.next(2) } : {}),
  });
  return g.map(name, x.channels, ...out);
}

/** A map brought to another's size, and joined with it: the skip of a U-Net. */
export function skip(g: Growth, x: Map4, y: Map4): Map4 | undefined {
  if (!g.fits(x.channels + y.channels, y.rows, y.columns) || x.rows > y.rows || x.columns > y.columns)
    return undefined;
  const sizes = g.ints([1, x.channels, y.rows, y.columns]);
  const resized = g.node(
    'Resize',
    [x.name, g.opset < 13 ? g.constant([0]) : '', g.opset < 13 ? g.constant([0]) : '', sizes],
    {
      mode: g.pick(['nearest', 'linear']),
      coordinate_transformation_mode: g.pick(['asymmetric', 'half_pixel', 'align_corners']),
    },
  );
  return {
    ...y,
    channels: x.channels + y.channels,
    name: g.node('Concat', [resized, y.name], { axis: 1 }),
  };
}

/** A box of channels, or every other row and column from somewhere on. */
export function slice(g: Growth, x: Map4): Map4 | undefined {
  const extents = [x.channels, x.rows, x.columns] as const;
  const ranges = extents.map((extent, axis) => {
    const start = g.next(Math.min(3, extent));
    const step = axis === 0 ? 1 : g.pick([1, 1, 2, 3]);
    const end = extent - g.next(Math.max(1, Math.min(3, extent - start)));
    return { start, step, end, count: Math.ceil((end - start) / step) };
  });
  const [channels, rows, columns] = ranges.map(({ count }) => count) as [number, number, number];
  if (Math.min(channels, rows, columns) < 1) return undefined;
  const name = g.node('Slice', [
    x.name,
    g.ints(ranges.map(({ start }) => start)),
    g.ints(ranges.map(({ end }, axis) => (end === extents[axis] && g.next(2) ? 2 ** 63 : end))),
    g.ints([1, 2, 3]),
    g.ints(ranges.map(({ step }) => step)),
  ]);
  return g.map(name, channels, rows, columns);
}

/** YOLO's Focus: four phases of rows and columns side by side. */
export function focus(g: Growth, x: Map4): Map4 | undefined {
  const [rows, columns] = [Math.floor(x.rows / 2), Math.floor(x.columns / 2)];
  if (rows < 1 || columns < 1) return undefined;
  const phases = [0, 1, 2, 3].map((phase) =>
    g.node('Slice', [
      x.name,
      g.ints([phase % 2, phase >> 1]),
      g.ints([rows * 2, columns * 2]),
      g.ints([2, 3]),
      g.ints([2, 2]),
    ]),
  );
  return g.map(g.node('Concat', phases, { axis: 1 }), x.channels * 4, rows, columns);
}

export function depthToSpace(g: Growth, x: Map4): Map4 | undefined {
  const size = g.pick([2, 3]);
  if (x.channels % (size * size) !== 0) {
    const joined = g.node('Concat', new Array<string>(size * size).fill(x.name), { axis: 1 });
    if (!g.fits(x.channels, x.rows * size, x.columns * size)) return undefined;
    const name = g.node('DepthToSpace', [joined], { blocksize: size, mode: g.pick(['DCR', 'CRD']) });
    return g.map(name, x.channels, x.rows * size, x.columns * size);
  }
  const name = g.node('DepthToSpace', [x.name], { blocksize: size, mode: g.pick(['DCR', 'CRD']) });
  return g.map(name, x.channels / (size * size), x.rows * size, x.columns * size);
}

export function spaceToDepth(g: Growth, x: Map4): Map4 | undefined {
  const size = [2, 3].find((candidate) => x.rows % candidate === 0 && x.columns % candidate === 0);
  if (size === undefined) return undefined;
  const name = g.node('SpaceToDepth', [x.name], { blocksize: size });
  return g.map(name, x.channels * size * size, x.rows / size, x.columns / size);
}

export function resize(g: Growth, x: Map4): Map4 | undefined {
  const mode = g.pick(['nearest', 'nearest', 'linear', 'linear', 'cubic']);
  const coordinates = g.pick([
    'half_pixel',
    'asymmetric',
    'align_corners',
    'pytorch_half_pixel',
    ...(g.opset >= 19 ? ['half_pixel_symmetric'] : ['half_pixel']),
    ...(mode === 'nearest' && g.opset < 13 ? ['tf_half_pixel_for_nn'] : []),
  ]);
  // The executor refuses its own graph where it moves a Transpose behind a cubic reduction.
  const scales = [0, 1].map(() =>
    g.pick(mode === 'cubic' ? [2, 1, 1.5, 3, 1.7] : [2, 2, 1, 0.5, 1.5, 3, 1.7, 0.75, 1 / 3]),
  );
  const sized = g.next(3) === 0;
  const [rows, columns] = [x.rows, x.columns].map((extent, axis) =>
    Math.floor(Math.fround(Math.fround(scales[axis] as number) * extent)),
  ) as [number, number];
  if (!g.fits(x.channels, rows, columns)) return undefined;
  const attributes: Record<string, AttributeInit> = {
    mode,
    coordinate_transformation_mode: coordinates,
    nearest_mode: g.pick(['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil']),
  };
  if (mode === 'cubic') {
    attributes.cubic_coeff_a = float(g.pick([-0.75, -0.5]));
    attributes.exclude_outside = g.next(2);
  }
  const none = g.opset < 13 ? g.constant([0]) : '';
  const inputs = sized
    ? [x.name, none, g.opset < 13 ? g.constant([0]) : '', g.ints([1, x.channels, rows, columns])]
    : [x.name, none, g.list([1, 1, ...scales])];
  return g.map(g.node('Resize', inputs, attributes), x.channels, rows, columns);
}

export function pad(g: Growth, x: Map4): Map4 | undefined {
  const mode = g.pick(['constant', 'edge', 'reflect']);
  const most = mode === 'reflect' ? Math.min(3, x.rows - 1, x.columns - 1) : 3;
  const [top, left, bottom, right] = [0, 1, 2, 3].map(() => g.next(most + 1)) as [
    number,
    number,
    number,
    number,
  ];
  const crops = mode === 'constant' && g.next(4) === 0 && x.rows > 4;
  const begin = crops ? -1 : top;
  const [rows, columns] = [x.rows + begin + bottom, x.columns + left + right];
  if (!g.fits(x.channels, rows, columns)) return undefined;
  const filler = g.fresh();
  g.builder.constant(filler, [], [0.25]);
  const inputs = [
    x.name,
    g.ints([0, 0, begin, left, 0, 0, bottom, right]),
    ...(mode === 'constant' ? [filler] : []),
  ];
  return g.map(g.node('Pad', inputs, { mode }), x.channels, rows, columns);
}
