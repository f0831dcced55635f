/** Why operators without a region rule run whole, in words for people. */

const QUANTISED = 'it belongs to a quantised group; cutting it changes which kernels the executor fuses';
const POSITIONS = 'it reads positions that depend on the data';
const POOLS = 'it pools over all rows and columns';
const NORMALISES = 'it normalises over all rows and columns';
const COUNT = 'how much it puts out depends on the data';
const SEQUENCE = 'it runs along a sequence';

/** Operators on quantised tensors, whose scales are further inputs. */
export function isQuantised(op: string): boolean {
  return op.startsWith('QLinear') || op.startsWith('QAttention') || op === 'QGemm';
}

/** By `operatorKey`. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ['GlobalAveragePool', POOLS],
  ['GlobalMaxPool', POOLS],
  ['GlobalLpPool', POOLS],
  ['InstanceNormalization', NORMALISES],
  ['GroupNormalization', NORMALISES],
  ['MeanVarianceNormalization', NORMALISES],
  ['Flatten', 'it merges rows and columns into one axis'],
  ['Gemm', 'each of its outputs reads the whole input'],
  ['Einsum', 'it may sum over rows and columns'],
  ['MatMulInteger', QUANTISED],
  ['ConvInteger', QUANTISED],
  ['QuantizeLinear', QUANTISED],
  ['DequantizeLinear', QUANTISED],
  ['DynamicQuantizeLinear', 'it takes its range over the whole tensor'],
  ['GridSample', POSITIONS],
  ['AffineGrid', POSITIONS],
  ['DeformConv', POSITIONS],
  ['RoiAlign', POSITIONS],
  ['MaxRoiPool', POSITIONS],
  ['MaxUnpool', POSITIONS],
  ['GatherND', POSITIONS],
  ['GatherElements', POSITIONS],
  ['Scatter', POSITIONS],
  ['ScatterElements', POSITIONS],
  ['ScatterND', POSITIONS],
  ['NonMaxSuppression', COUNT],
  ['NonZero', COUNT],
  ['Compress', COUNT],
  ['Unique', COUNT],
  ['Col2Im', 'it adds overlapping blocks of columns'],
  ['LSTM', SEQUENCE],
  ['GRU', SEQUENCE],
  ['RNN', SEQUENCE],
  ['If', 'it chooses a body by the data'],
  ['Loop', 'it repeats a body'],
  ['Scan', 'it repeats a body'],
]);

/** Why an operator without a rule cannot be tiled; `key`: its `operatorKey`. */
export function refusedReason(op: string, key: string): string {
  return REFUSED.get(key) ?? (isQuantised(op) ? QUANTISED : 'Tilepipe has no region rule for it');
}
