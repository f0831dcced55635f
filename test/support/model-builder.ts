/** Makes ONNX models in a few lines: `new ModelBuilder().input('x', [1, 3, 8, 8]).node('Relu', ['x'], ['y']).output('y').encode()`. */

import { constantOf } from '../../services/core/graph/constant.ts';
import type { AttributeValue, Constant, DType } from '../../services/core/graph/types.ts';
import {
  type ExternalInitializer,
  encodeModel,
  type NodeSpec,
  type ValueSpec,
} from '../../services/core/graph/write.ts';
import { randomValues } from './random-values.ts';

/** A number becomes INT; wrap it in `float()` for FLOAT. */
export type AttributeInit = AttributeValue | FloatInit;

export interface FloatInit {
  readonly float: number | readonly number[];
}

/** A FLOAT or FLOATS attribute, also where its numbers are whole. */
export function float(value: number | readonly number[]): FloatInit {
  return { float: value };
}

export class ModelBuilder {
  readonly #opsets: Map<string, number>;
  readonly #nodes: NodeSpec[] = [];
  readonly #inputs: ValueSpec[] = [];
  readonly #outputs: ValueSpec[] = [];
  readonly #constants: Constant[] = [];
  readonly #external: ExternalInitializer[] = [];

  constructor(opset = 17) {
    this.#opsets = new Map([['', opset]]);
  }

  opset(domain: string, version: number): this {
    this.#opsets.set(domain, version);
    return this;
  }

  /** Strings are symbolic extents. */
  input(name: string, shape: readonly (number | string)[], dtype: DType = 'float32'): this {
    this.#inputs.push({ name, shape, dtype });
    return this;
  }

  /** Type and shape are the executor's to infer unless given. */
  output(name: string, dtype?: DType, shape?: readonly (number | string)[]): this {
    this.#outputs.push({ name, ...(dtype ? { dtype } : {}), ...(shape ? { shape } : {}) });
    return this;
  }

  node(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, AttributeInit>> = {},
    domain = '',
  ): this {
    const values = new Map<string, AttributeValue>();
    const floats = new Set<string>();
    for (const [name, value] of Object.entries(attributes)) {
      const wrapped = typeof value === 'object' && 'float' in value ? value.float : undefined;
      if (wrapped !== undefined) floats.add(name);
      values.set(name, wrapped ?? (value as AttributeValue));
    }
    this.#nodes.push({ op, domain, inputs, outputs, attributes: values, floats });
    return this;
  }

  constant(
    name: string,
    shape: readonly number[],
    values: readonly number[],
    dtype: DType = 'float32',
  ): this {
    this.#constants.push(constantOf(name, dtype, shape, values));
    return this;
  }

  /** A one-dimensional int64 constant, as Reshape and Slice take them. */
  ints(name: string, values: readonly number[]): this {
    return this.constant(name, [values.length], values, 'int64');
  }

  /** Numbers of [-1, 1) that depend on the tensor's name alone. */
  random(name: string, shape: readonly number[], dtype: DType = 'float32'): this {
    return this.constant(name, shape, Array.from(randomValues(name, shape)), dtype);
  }

  external(initializer: ExternalInitializer): this {
    this.#external.push(initializer);
    return this;
  }

  encode(): Uint8Array {
    return encodeModel({
      nodes: this.#nodes,
      inputs: this.#inputs,
      outputs: this.#outputs,
      initializers: this.#constants,
      externalInitializers: this.#external,
      opsets: this.#opsets,
      irVersion: 8,
    });
  }
}
