/** A plan's cut tensors one by one: another form for one of them, wherever that makes the plan better. */

import type { CutCodec, Draft, WireCodec } from '../draft.ts';
import { codedCost } from './coded-space.ts';
import type { FleetView } from './fleet-view.ts';
import { fits, holdingsOf, together } from './memory-of.ts';
import type { Step } from './step.ts';
import { changedForm, isSameForm, type TensorForm, type WireForm } from './wire-form.ts';

export interface Refinable {
  readonly steps: readonly Step[];
  readonly form: WireForm;
}

export interface RefineInput<T extends Refinable> {
  readonly view: FleetView;
  /** Forms a tensor may have are those that one of these gives it. */
  readonly forms: readonly WireForm[];
  readonly predict: (steps: readonly Step[], form: WireForm) => T;
  /** Milliseconds a plan is compared by. */
  readonly score: (plan: T) => number;
}

/** Rounds over all tensors: a change of one seldom makes another worth while that was not before. */
const ROUNDS = 2;

/** The plan with the best form for each cut tensor while the others stay as they are; never worse. */
export function refined<T extends Refinable>(plan: T, input: RefineInput<T>): T {
  const { view, forms, score } = input;
  let best = plan;
  if (forms.length < 2) return best;
  const tensors = sentTensors(plan.steps);
  const kept = stripEnds(plan.steps);
  for (let round = 0; round < ROUNDS; round++) {
    const before = best;
    for (const tensor of tensors) {
      for (const to of formsOf(forms, tensor)) {
        if (isSameForm(best.form.of(tensor), to) || (to.codec !== 'raw' && kept.has(tensor))) continue;
        const form = changedForm(best.form, tensor, to);
        const steps = recoded(best.steps, form, tensor);
        if (!fits(view, together(steps.map(holdingsOf)))) continue;
        const next = input.predict(steps, form);
        if (score(next) < score(best) * (1 - 1e-9)) best = next;
      }
    }
    if (best === before) break;
  }
  return best;
}

/** Tensors at the ends of blocks whose tiles hand strips to one another: those have no codec. */
function stripEnds(steps: readonly Step[]): Set<string> {
  const handing = steps.filter(({ reuse }) => reuse === true);
  return new Set(handing.flatMap(({ span }) => [...span.block.inputs, ...span.block.outputs]));
}

/** Tensors that one block makes and a later one reads, in the order of the plan. */
export function cutTensors(steps: readonly Step[]): string[] {
  const read = new Set(steps.flatMap(({ span }) => span.block.inputs));
  return [...new Set(steps.flatMap(({ span }) => span.block.outputs))].filter((name) => read.has(name));
}

/** Those, and what the network is given. */
function sentTensors(steps: readonly Step[]): string[] {
  const made = new Set(steps.flatMap(({ span }) => span.block.outputs));
  const given = new Set(steps.flatMap(({ span }) => span.block.inputs).filter((name) => !made.has(name)));
  return [...given, ...cutTensors(steps)];
}

/** What a draft says of the forms of its tensors. */
export function codingOf(steps: readonly Step[], form: WireForm): Pick<Draft, 'codecs' | 'packed' | 'wire'> {
  const codecs: Record<string, CutCodec> = {};
  const wire: Record<string, WireCodec> = {};
  const packed: string[] = [];
  for (const tensor of sentTensors(steps)) {
    const { codec, packed: deflated, wire: sent } = form.of(tensor);
    if (codec !== 'raw') codecs[tensor] = codec;
    if (sent !== undefined) wire[tensor] = sent;
    if (deflated) packed.push(tensor);
  }
  return {
    ...(Object.keys(codecs).length === 0 ? {} : { codecs }),
    ...(packed.length === 0 ? {} : { packed }),
    ...(Object.keys(wire).length === 0 ? {} : { wire }),
  };
}

/** Steps that make or read a tensor, by its new form; all others are the same. */
function recoded(steps: readonly Step[], form: WireForm, tensor: string): Step[] {
  return steps.map((step) => {
    const { inputs, outputs } = step.span.block;
    if (!inputs.includes(tensor) && !outputs.includes(tensor)) return step;
    return { ...step, parts: step.parts.map((part) => ({ ...part, cost: codedCost(part.cost, form) })) };
  });
}

function formsOf(forms: readonly WireForm[], tensor: string): TensorForm[] {
  const found: TensorForm[] = [];
  for (const form of forms) {
    const own = form.of(tensor);
    if (!found.some((other) => isSameForm(other, own))) found.push(own);
  }
  return found;
}
