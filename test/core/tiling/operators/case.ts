/** One model of one operator, or a few, to be cut. */

import type { AttributeInit, ModelBuilder } from '../../../support/model-builder.ts';

export type Build = (model: ModelBuilder) => ModelBuilder;

export interface Case {
  readonly name: string;
  readonly opset?: number;
  readonly build: Build;
  readonly tolerance?: number;
}

/** Input x of 1x4x23x29 unless a case has its own. */
export const image = (model: ModelBuilder) => model.input('x', [1, 4, 23, 29]);

export type Attributes = Readonly<Record<string, AttributeInit>>;

export const single =
  (op: string, attributes: Attributes = {}, domain = ''): Build =>
  (model) =>
    (domain === '' ? image(model) : image(model.opset(domain, 1)))
      .node(op, ['x'], ['y'], attributes, domain)
      .output('y');

export const last =
  (build: Build): Build =>
  (model) =>
    build(model.input('x', [1, 23, 29, 4]));
