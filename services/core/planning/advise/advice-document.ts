/** An advice as the document of advice.schema.json. */

import type { Advice as AdviceDocument } from '../../schema/generated/advice.ts';
import type { Fleet } from '../cost/fleet.ts';
import type { Draft } from '../draft.ts';
import { MBIT } from '../units.ts';
import type { Advice, WhatIfAnswer } from './advise.ts';
import { costOf } from './alternatives.ts';
import { blockRows, cutRows, devicesOf } from './block-rows.ts';
import { alternativeText } from './words.ts';

/** What is said of the plan beside its figures. */
export interface AdviceRemarks {
  /** What a frame travels as. */
  readonly input?: 'tensor' | 'pixels';
  /** How that was found to be better, in words. */
  readonly pixels?: string;
  readonly accuracy?: {
    readonly class: 'exact' | 'budgeted';
    readonly samples?: number;
    readonly relativeRms?: number;
    readonly labels?: number;
    readonly equalLabels?: number;
    readonly refused?: readonly string[];
  };
}

/** `model` names what the advice is for. */
export function adviceOf(
  advice: Advice,
  model: { readonly name: string; readonly digest: string },
  { input = 'tensor', pixels, accuracy = { class: 'exact' } }: AdviceRemarks = {},
): AdviceDocument {
  const { chosen, alternatives, fleet, wanted, bottleneck, breakEven, whatIfs } = advice;
  const { objective } = wanted;
  const { refused, ...measured } = accuracy;
  return {
    model: model.name,
    digest: model.digest,
    objective,
    accuracy: { ...measured, ...(refused === undefined ? {} : { refused: [...refused] }) },
    verdict: {
      text: advice.verdict,
      spread: devicesOf(chosen, fleet).length > 1,
      devices: devicesOf(chosen, fleet),
      gain: gainOf(advice),
    },
    ...machines(fleet),
    plan: {
      strategy: chosen.strategy,
      inFlight: chosen.inFlight,
      input,
      ...(pixels === undefined ? {} : { pixels }),
      cuts: cutRows(chosen),
      ...figures(chosen, alternatives[0]?.framesPerSecond ?? chosen.predicted.framesPerSecond),
      blocks: blockRows(chosen, fleet).map((row) => ({ ...row, devices: [...row.devices] })),
    },
    alternatives: alternatives.map((one) => ({
      name: one.name,
      fits: one.fits,
      chosen: one.draft === chosen,
      ...figures(one.draft, one.framesPerSecond),
      note: alternativeText(one, chosen, fleet, objective),
    })),
    bottleneck: { ...bottleneck, busy: Math.min(1, bottleneck.busy), latency: { ...bottleneck.latency } },
    breakEven: breakEvenRow(breakEven),
    whatIfs: whatIfs.map(whatIf),
  };
}

function breakEvenRow(result: Advice['breakEven']): AdviceDocument['breakEven'] {
  const { kind, text } = result;
  if (kind === 'link') return { kind, text, mbitPerSecond: result.bytesPerMs / MBIT };
  if (kind !== 'between') return { kind, text };
  const { several, from, to } = result;
  return {
    kind,
    text,
    several,
    ...(from === undefined ? {} : { fromMbitPerSecond: from / MBIT }),
    ...(to === undefined ? {} : { toMbitPerSecond: to / MBIT }),
  };
}

function gainOf({ alternatives, chosen, wanted }: Advice): number | null {
  const single = alternatives.find(({ name, fits }) => name === 'one-device' && fits)?.draft;
  if (single === undefined) return null;
  return costOf(single.predicted, wanted.objective) / costOf(chosen.predicted, wanted.objective);
}

function machines({ devices, media }: Fleet): Pick<AdviceDocument, 'devices' | 'media'> {
  return {
    devices: devices.map(({ id, medium, memoryBytes, estimated }) => ({
      id,
      medium: medium ?? null,
      memoryBytes: Number.isFinite(memoryBytes) ? memoryBytes : null,
      estimated,
    })),
    media: [...media.values()].map(({ name, bytesPerMs, duplex, latencyMs }) => ({
      name,
      mbitPerSecond: bytesPerMs / MBIT,
      duplex,
      latencyMs,
    })),
  };
}

function figures({ predicted }: Draft, framesPerSecond: number) {
  const { latencyMs, bytesPerFrame, memoryBytes } = predicted;
  return { latencyMs, framesPerSecond, bytesPerFrame, memoryBytes: { ...memoryBytes } };
}

function whatIf({
  question,
  fleet,
  chosen,
  framesPerSecond = 0,
  verdict,
}: WhatIfAnswer): AdviceDocument['whatIfs'][number] {
  if (chosen === undefined) return { question: question.text, verdict };
  const { latencyMs, bytesPerFrame } = chosen.predicted;
  return {
    question: question.text,
    verdict,
    strategy: chosen.strategy,
    devices: devicesOf(chosen, fleet).length,
    latencyMs,
    framesPerSecond,
    bytesPerFrame,
  };
}
