/** What the genes of a random network write with: a model, the maps so far, and the numbers of the gene at hand. */

import { type AttributeInit, ModelBuilder } from '../../../support/model-builder.ts';
import { randomValues } from '../../../support/random-values.ts';

/** A tensor of a batch of one; `rows` and `columns` as the network has them. */
export interface Map4 {
  readonly name: string;
  readonly channels: number;
  readonly rows: number;
  readonly columns: number;
}

/** Elements beyond which a map is not enlarged: cases are to take milliseconds. */
const MOST_ELEMENTS = 6000;

export class Growth {
  readonly builder: ModelBuilder;
  readonly maps: Map4[] = [];
  /** Tensors some node reads. */
  readonly read = new Set<string>();
  readonly opset: number;
  private count = 0;
  private numbers: readonly number[] = [];
  private at = 0;

  constructor(opset: number) {
    this.opset = opset;
    this.builder = new ModelBuilder(opset);
  }

  /** Takes up a gene's numbers. */
  start(numbers: readonly number[]): void {
    this.numbers = numbers;
    this.at = 0;
  }

  /** The gene's next number, below `count`. */
  next(count: number): number {
    const value = this.numbers[this.at % this.numbers.length] as number;
    this.at += 1;
    return Math.floor(value / (this.at > this.numbers.length ? 7 : 1)) % count;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.next(choices.length)] as T;
  }

  fresh(): string {
    this.count += 1;
    return `t${this.count}`;
  }

  /** Weights that keep the size of what they multiply. */
  weights(shape: readonly number[], fanIn: number): string {
    const name = this.fresh();
    const scale = Math.sqrt(3 / Math.max(1, fanIn));
    this.builder.constant(
      name,
      shape,
      Array.from(randomValues(name, shape), (value) => value * scale),
    );
    return name;
  }

  constant(shape: readonly number[], low = -1, high = 1): string {
    const name = this.fresh();
    const values = Array.from(randomValues(name, shape), (value) => low + ((value + 1) / 2) * (high - low));
    this.builder.constant(name, shape, values);
    return name;
  }

  ints(values: readonly number[]): string {
    const name = this.fresh();
    this.builder.ints(name, values);
    return name;
  }

  list(values: readonly number[]): string {
    const name = this.fresh();
    this.builder.constant(name, [values.length], values);
    return name;
  }

  node(
    op: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeInit> = {},
    domain = '',
  ): string {
    const name = this.fresh();
    for (const input of inputs) this.read.add(input);
    this.builder.node(op, inputs, [name], attributes, domain);
    return name;
  }

  map(name: string, channels: number, rows: number, columns: number): Map4 | undefined {
    return { name, channels, rows, columns };
  }

  fits(channels: number, rows: number, columns: number): boolean {
    return rows >= 1 && columns >= 1 && channels * rows * columns <= MOST_ELEMENTS;
  }
}
