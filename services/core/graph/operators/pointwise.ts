/** Operators that read one element of each input, broadcasting where shapes differ. */

import { TilepipeError } from '../../runtime/errors.ts';
import { numberAttribute } from '../attributes.ts';
import { dtypeOf, typeName } from '../dtype.ts';
import type { DType } from '../types.ts';
import {
  broadcast,
  type InferContext,
  type OperatorRow,
  operator,
  required,
  sameAsFirst,
  type TensorType,
} from './row.ts';

const unary = (op: string, summary: string, domain = '') =>
  operator(op, 'pointwise', summary, (context) => [required(context, 0)], { domain });

function broadcastAll(context: InferContext, dtype: DType): readonly TensorType[] {
  const inputs = context.inputs.filter((input) => input !== undefined);
  return [
    {
      dtype,
      shape: broadcast(
        context.node,
        inputs.map((input) => input.shape),
      ),
    },
  ];
}

/** Two inputs; before opset 7 the second is aligned at `axis` instead of at the end, and never widens the first. */
function binaryType(context: InferContext, dtype: DType): readonly TensorType[] {
  if (context.opset < 7 && context.node.domain === '') return [{ dtype, shape: required(context, 0).shape }];
  required(context, 1);
  return broadcastAll(context, dtype);
}

const arithmetic = (op: string, summary: string) =>
  operator(op, 'pointwise', summary, (context) => binaryType(context, required(context, 0).dtype));

const comparison = (op: string, summary: string) =>
  operator(op, 'pointwise', summary, (context) => binaryType(context, 'bool'));

const variadic = (op: string, summary: string) =>
  operator(op, 'pointwise', summary, (context) => broadcastAll(context, required(context, 0).dtype));

const test = (op: string, summary: string) =>
  operator(op, 'pointwise', summary, (context) => [{ dtype: 'bool', shape: required(context, 0).shape }]);

/** Inputs come as tensor, scale and zero point. */
function quantisedBinary(context: InferContext): readonly TensorType[] {
  const [a, b] = [required(context, 0), required(context, 3)];
  return [{ dtype: a.dtype, shape: broadcast(context.node, [a.shape, b.shape]) }];
}

function castType(context: InferContext): readonly TensorType[] {
  const to = numberAttribute(context.node, 'to');
  const dtype = to === undefined ? undefined : dtypeOf(to);
  if (dtype === undefined) {
    throw new TilepipeError(
      'model-unsupported',
      `node ${context.node.name} casts to ${typeName(to ?? 0)}, which Tilepipe does not move.`,
    );
  }
  return [{ dtype, shape: required(context, 0).shape }];
}

export const pointwise: readonly OperatorRow[] = [
  unary('Relu', 'max(x, 0).'),
  unary('LeakyRelu', 'x, or alpha x below 0.'),
  unary('ThresholdedRelu', 'x above alpha, else 0.'),
  unary('Elu', 'Exponential linear unit.'),
  unary('Selu', 'Scaled exponential linear unit.'),
  unary('Celu', 'Continuously differentiable exponential linear unit.'),
  unary('Gelu', 'Gaussian error linear unit.'),
  unary('Gelu', 'Gaussian error linear unit.', 'com.microsoft'),
  unary('FastGelu', 'Gaussian error linear unit by tanh.', 'com.microsoft'),
  unary('QuickGelu', 'x sigmoid(alpha x).', 'com.microsoft'),
  unary('Sigmoid', 'Logistic function.'),
  unary('HardSigmoid', 'Logistic function by straight lines.'),
  unary('HardSwish', 'x times the hard sigmoid.'),
  unary('Swish', 'x sigmoid(alpha x).'),
  unary('Mish', 'x tanh(softplus(x)).'),
  unary('Softplus', 'ln(1 + exp x).'),
  unary('Softsign', 'x / (1 + |x|).'),
  unary('Shrink', 'Soft threshold.'),
  unary('Erf', 'Error function.'),
  unary('Tanh', 'Hyperbolic tangent.'),
  unary('Sin', 'Sine.'),
  unary('Cos', 'Cosine.'),
  unary('Tan', 'Tangent.'),
  unary('Asin', 'Inverse sine.'),
  unary('Acos', 'Inverse cosine.'),
  unary('Atan', 'Inverse tangent.'),
  unary('Sinh', 'Hyperbolic sine.'),
  unary('Cosh', 'Hyperbolic cosine.'),
  unary('Asinh', 'Inverse hyperbolic sine.'),
  unary('Acosh', 'Inverse hyperbolic cosine.'),
  unary('Atanh', 'Inverse hyperbolic tangent.'),
  unary('Exp', 'Exponential.'),
  unary('Log', 'Natural logarithm.'),
  unary('Sqrt', 'Square root.'),
  unary('Reciprocal', '1 / x.'),
  unary('Abs', 'Magnitude.'),
  unary('Neg', '-x.'),
  unary('Sign', 'Sign.'),
  unary('Floor', 'Greatest whole number not above.'),
  unary('Ceil', 'Least whole number not below.'),
  unary('Round', 'Nearest whole number, ties to even.'),
  unary('Not', 'Negation.'),
  unary('BitwiseNot', 'Bitwise negation.'),
  test('IsNaN', 'Whether not a number.'),
  test('IsInf', 'Whether infinite.'),
  arithmetic('Add', 'Sum.'),
  arithmetic('Sub', 'Difference.'),
  arithmetic('Mul', 'Product.'),
  arithmetic('Div', 'Quotient.'),
  arithmetic('Mod', 'Remainder.'),
  arithmetic('Pow', 'Power; the type is that of the base.'),
  arithmetic('BitShift', 'Bits moved.'),
  arithmetic('BitwiseAnd', 'Bitwise and.'),
  arithmetic('BitwiseOr', 'Bitwise or.'),
  arithmetic('BitwiseXor', 'Bitwise exclusive or.'),
  comparison('Equal', 'Equality.'),
  comparison('Greater', 'Greater than.'),
  comparison('GreaterOrEqual', 'Greater or equal.'),
  comparison('Less', 'Less than.'),
  comparison('LessOrEqual', 'Less or equal.'),
  comparison('And', 'Both.'),
  comparison('Or', 'Either.'),
  comparison('Xor', 'One of both.'),
  variadic('Max', 'Greatest of any number of inputs.'),
  variadic('Min', 'Least of any number of inputs.'),
  variadic('Sum', 'Sum of any number of inputs.'),
  variadic('Mean', 'Mean of any number of inputs.'),
  operator('Where', 'pointwise', 'One of two by a condition.', (context) =>
    broadcastAll(context, required(context, 1).dtype),
  ),
  operator('Clip', 'pointwise', 'Limits, given as attributes or as inputs.', sameAsFirst),
  operator('PRelu', 'pointwise', 'x, or slope x below 0.', sameAsFirst),
  operator('Cast', 'pointwise', 'Another element type.', castType),
  operator('CastLike', 'pointwise', 'The element type of a second tensor.', (context) => [
    { dtype: required(context, 1).dtype, shape: required(context, 0).shape },
  ]),
  operator('Identity', 'pointwise', 'The input itself; removed when a model is read.', sameAsFirst),
  operator(
    'Dropout',
    'pointwise',
    'The input itself at inference; removed when a model is read.',
    (context) => [required(context, 0), { dtype: 'bool', shape: required(context, 0).shape }],
  ),
  operator('QLinearAdd', 'pointwise', 'Quantised sum.', quantisedBinary, { domain: 'com.microsoft' }),
  operator('QLinearMul', 'pointwise', 'Quantised product.', quantisedBinary, { domain: 'com.microsoft' }),
  unary('QLinearSigmoid', 'Quantised logistic function.', 'com.microsoft'),
  unary('QLinearLeakyRelu', 'Quantised LeakyRelu.', 'com.microsoft'),
  operator('BiasGelu', 'pointwise', 'Gaussian error linear unit of x + b.', sameAsFirst, {
    domain: 'com.microsoft',
  }),
];
