/** Constant nodes in each of their forms. */

import { TilepipeError } from '../../runtime/errors.ts';
import { numberAttribute, numbersAttribute, tensorAttribute } from '../attributes.ts';
import { constantOf, lazyConstant } from '../constant.ts';
import type { Constant, GraphNode } from '../types.ts';

/** Throws `model-unsupported` for strings and sparse tensors, `model-unreadable` where there is no value. */
export function constantNode(node: GraphNode): Constant {
  const name = node.outputs[0] ?? '';
  for (const form of ['sparse_value', 'value_string', 'value_strings']) {
    if (!node.attributes.has(form)) continue;
    throw new TilepipeError(
      'model-unsupported',
      `Constant node ${node.name} holds a ${form}, which Tilepipe does not move.`,
    );
  }
  const tensor = tensorAttribute(node, 'value');
  if (tensor !== undefined) return lazyConstant(name, tensor.dtype, tensor.shape, () => tensor.bytes());
  const float = numberAttribute(node, 'value_float');
  if (float !== undefined) return constantOf(name, 'float32', [], [float]);
  const int = numberAttribute(node, 'value_int');
  if (int !== undefined) return constantOf(name, 'int64', [], [int]);
  const floats = numbersAttribute(node, 'value_floats');
  if (floats !== undefined) return constantOf(name, 'float32', [floats.length], floats);
  const ints = numbersAttribute(node, 'value_ints');
  if (ints !== undefined) return constantOf(name, 'int64', [ints.length], ints);
  throw new TilepipeError('model-unreadable', `Constant node ${node.name} has no value.`);
}
