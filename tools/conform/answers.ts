/** What several rules look at: the right answer to a task, stamps, a plan that is loaded. */

import { extents, type Region, sameRegion } from '../../services/core/tensor/region.ts';
import { floatsOf } from '../../services/core/vision/floats.ts';
import type { LaidMessage } from '../../services/core/wire/encode.ts';
import type { Message, MessageMeta, TensorData } from '../../services/core/wire/message.ts';
import { type Examiner, regionOf, WORKER } from './examiner.ts';
import { expected, type Fixture, SMALL } from './fixture.ts';

/** What earlier rules found out for later ones. */
export interface Findings {
  fixture?: Fixture;
  next?: Fixture;
}

export const TOLERANCE = 1e-4;

export function need(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

export function fixtureOf({ fixture }: Findings): Fixture {
  need(fixture !== undefined, 'no plan was loaded');
  return fixture;
}

export function belongsTo(meta: MessageMeta, sent: MessageMeta): boolean {
  return meta.frame === sent.frame && meta.task === sent.task && meta.plan === sent.plan;
}

/** The worker's data for a task that was sent; an error in its place is told. */
export async function dataFor(examiner: Examiner, sent: MessageMeta): Promise<Message> {
  const wanted = ({ meta }: Message) => meta.kind === 'data' && belongsTo(meta, sent);
  try {
    return await examiner.merger.first(`data of task ${sent.task}`, wanted, examiner.answerMs);
  } catch (nothing) {
    const error = [...examiner.splitter.items, ...examiner.merger.items].find(
      ({ meta }) => meta.kind === 'error' && belongsTo(meta, sent),
    );
    if (error === undefined) throw nothing;
    throw new Error(
      `task ${sent.task} was answered with an error: ${error.meta.code}: ${error.meta.message}`,
    );
  }
}

export function errorFor(examiner: Examiner, sent: MessageMeta): Promise<Message> {
  const wanted = ({ meta }: Message) => meta.kind === 'error' && belongsTo(meta, sent);
  return examiner.splitter.first(`error for task ${sent.task}`, wanted, examiner.answerMs);
}

export function checkStamps({ receivedMs, startedMs, endedMs, sender }: MessageMeta): void {
  need(sender === WORKER, `sender is "${sender}", not ${WORKER}`);
  const stamped = receivedMs !== undefined && startedMs !== undefined && endedMs !== undefined;
  need(stamped, 'receivedMs, startedMs and endedMs must be there');
  need(
    receivedMs <= endedMs && startedMs <= endedMs,
    `stamps run backwards: ${receivedMs}, ${startedMs}, ${endedMs}`,
  );
}

/** The one tensor of a message, in type and extents that of a region of "y". */
export function onlyPiece({ tensors }: Message, region: Region): TensorData {
  const [tensor] = tensors;
  need(
    tensor !== undefined && tensors.length === 1 && tensor.name === 'y',
    'the data must be the one tensor "y"',
  );
  need(tensor.dtype === 'float32', `"y" is ${tensor.dtype}, not float32`);
  const [shape, wanted] = [tensor.shape.join('x'), extents(region).join('x')];
  need(shape === wanted, `"y" is ${shape}, not ${wanted}`);
  return tensor;
}

/** Of the frame as the worker has seen it, where it came by a codec that changes values. */
export function checkNumbers(
  examiner: Examiner,
  fixture: Fixture,
  message: Message,
  frame: Float32Array = examiner.frame,
): string {
  const { meta } = message;
  const region = regionOf(fixture, meta.task ?? '', 'outputs');
  const tensor = onlyPiece(message, region);
  const told = meta.regions?.y;
  need(
    told !== undefined && sameRegion(told, region),
    `regions.y is ${JSON.stringify(told)}, not ${JSON.stringify(region)}`,
  );
  const worst = worstOff(tensor, expected(frame, fixture.weights, region));
  need(worst <= TOLERANCE, `the numbers are off by ${worst}`);
  return `largest difference ${worst.toExponential(1)}`;
}

/** Largest difference between the elements of a tensor and what they should be; Infinity for one that is no number. */
export function worstOff(tensor: TensorData, right: Float32Array): number {
  const got = floatsOf(tensor);
  let worst = got.length === right.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < right.length; i++) {
    const difference = Math.abs((got[i] as number) - (right[i] as number));
    // A NaN is larger than anything.
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return worst;
}

/** Sends payloads of a task and checks the answer; how it is sent is what is examined. */
export async function answered(
  examiner: Examiner,
  fixture: Fixture,
  message: LaidMessage,
  payloads: readonly Buffer[] = examiner.payloads(message),
): Promise<string> {
  await examiner.send(payloads);
  return checkNumbers(examiner, fixture, await dataFor(examiner, message.meta));
}

/** A worker that answers an ordinary task is alive and has its wits. */
export function stillServes(examiner: Examiner, findings: Findings): Promise<string> {
  const fixture = fixtureOf(findings);
  return answered(examiner, fixture, examiner.task(fixture, SMALL));
}

export async function ready(examiner: Examiner, fixture: Fixture, after = 0): Promise<string> {
  const { digest } = fixture.announcement;
  const status = await examiner.status(
    'ready or failed for the plan',
    ({ plans }) => plans?.[digest]?.state === 'ready' || plans?.[digest]?.state === 'failed',
    after,
  );
  const plan = status.plans?.[digest];
  need(plan?.state === 'ready', `the plan failed: ${plan?.error}`);
  need(plan.models?.includes(fixture.model) === true, 'models does not list the sub-model');
  return `${plan.models?.length} sub-model`;
}
