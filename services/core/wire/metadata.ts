/** The metadata of a message as safetensors has it: a map from string to string. One table says how each field is written. */

import type { Region } from '../tensor/region.ts';
import { MAX_TEXT_LENGTH } from './limits.ts';
import { MESSAGE_KINDS, type MessageKind, type MessageMeta, type PackedTensor } from './message.ts';
import type { Scale } from './quantise.ts';
import { WireError } from './wire-error.ts';

type Field = Exclude<keyof MessageMeta, 'kind'>;
type TextForm = keyof typeof MAX_TEXT_LENGTH;
type Form = TextForm | 'count' | 'time' | 'json';

/**
 * `name` and `topic` as they are, refused where they are too long; `text` for people, cut where it is too long;
 * `count` a decimal natural number; `time` milliseconds as a decimal number; `json` a JSON document in the string.
 * The names are those on the wire.
 */
export const METADATA_FIELDS = {
  sender: 'name',
  pipeline: 'name',
  plan: 'name',
  frame: 'name',
  sequence: 'count',
  source: 'name',
  task: 'name',
  reply: 'topic',
  merger: 'topic',
  splitter: 'topic',
  deadlineMs: 'time',
  receivedMs: 'time',
  startedMs: 'time',
  endedMs: 'time',
  regions: 'json',
  codecs: 'json',
  scales: 'json',
  packed: 'json',
  code: 'name',
  message: 'text',
  extra: 'json',
} as const satisfies Record<Field, Form>;

const FIELDS = Object.entries(METADATA_FIELDS) as [Field, Form][];

/** Digits of `deadlineMs`: fixed, so that a sender can lower it in place just before sending. 10 digits are 115 days. */
const DEADLINE_DIGITS = 10;

/** A deadline as it stands on the wire: whole milliseconds, rounded up, zero-padded. */
export function deadlineText(milliseconds: number): string {
  const bounded = Math.min(Math.max(Math.ceil(milliseconds), 0), 10 ** DEADLINE_DIGITS - 1);
  return String(Number.isNaN(bounded) ? 0 : bounded).padStart(DEADLINE_DIGITS, '0');
}

/** The metadata as strings; fields that are undefined are left out. */
export function metadataToText(meta: MessageMeta): Record<string, string> {
  const text: Record<string, string> = { kind: meta.kind };
  for (const [field, form] of FIELDS) {
    const value = meta[field];
    if (value === undefined) continue;
    if (field === 'deadlineMs') text[field] = deadlineText(value as number);
    else if (form === 'json') text[field] = JSON.stringify(value);
    else text[field] = form === 'text' ? cut(String(value)) : String(value);
  }
  return text;
}

/**
 * The metadata of a received message; unknown fields are ignored.
 * Throws WireError `metadata`, `metadata-kind`, `metadata-value` or `region` (form only: the tensors are checked later).
 */
export function metadataFromText(value: unknown, kind: MessageKind | undefined): MessageMeta {
  if (!isObject(value)) throw new WireError('metadata');
  for (const key of Object.keys(value)) {
    if (typeof value[key] !== 'string') throw new WireError('metadata', key);
  }
  const text = value as Record<string, string>;
  const named = MESSAGE_KINDS.find((known) => known === own(text, 'kind'));
  if (named === undefined || (kind !== undefined && named !== kind)) throw new WireError('metadata-kind');
  const meta: Record<string, unknown> = { kind: named };
  for (const [field, form] of FIELDS) {
    const written = own(text, field);
    if (written !== undefined) meta[field] = readField(field, form, written);
  }
  return meta as unknown as MessageMeta;
}

function readField(field: Field, form: Form, text: string): unknown {
  if (form === 'text') return cut(text);
  if (form === 'name' || form === 'topic') {
    if (text.length > MAX_TEXT_LENGTH[form]) throw new WireError('metadata-value', field);
    return text;
  }
  if (form === 'json') {
    const value = parseJson(text);
    if (value === undefined) throw new WireError('metadata-value', field);
    if (field === 'regions') return readRegions(value);
    if (field === 'codecs') return readCodecs(value);
    if (field === 'scales') return readScales(value);
    if (field === 'packed') return readPacked(value);
    return value;
  }
  const number = /^[0-9]{1,16}(\.[0-9]{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= 0) || (form === 'count' && !Number.isSafeInteger(number))) {
    throw new WireError('metadata-value', field);
  }
  return number;
}

/** Also what was received is cut, not refused: better half a sentence than none. No half of a pair is left at the end. */
function cut(text: string): string {
  return text.length <= MAX_TEXT_LENGTH.text
    ? text
    : text.slice(0, MAX_TEXT_LENGTH.text).replace(/[\ud800-\udbff]$/, '');
}

/** Without prototype, so that a tensor may be called anything. */
function readRegions(value: unknown): Record<string, Region> {
  if (!isObject(value)) throw new WireError('region');
  const regions: Record<string, Region> = Object.create(null);
  for (const name of Object.keys(value)) {
    const region = value[name];
    if (!Array.isArray(region) || region.length > 8 || !region.every(isRange))
      throw new WireError('region', name);
    regions[name] = region;
  }
  return regions;
}

function isRange(value: unknown): value is [number, number] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    Number.isSafeInteger(value[0]) &&
    Number.isSafeInteger(value[1]) &&
    0 <= value[0] &&
    value[0] <= value[1]
  );
}

function readCodecs(value: unknown): Record<string, string> {
  if (!isObject(value)) throw new WireError('metadata-value', 'codecs');
  const codecs: Record<string, string> = Object.create(null);
  for (const name of Object.keys(value)) {
    const codec = value[name];
    if (typeof codec !== 'string') throw new WireError('metadata-value', 'codecs');
    codecs[name] = codec;
  }
  return codecs;
}

function readScales(value: unknown): Record<string, Scale> {
  if (!isObject(value)) throw new WireError('metadata-value', 'scales');
  const scales: Record<string, Scale> = Object.create(null);
  for (const name of Object.keys(value)) {
    const entry = value[name];
    const [scale, zeroPoint] = Array.isArray(entry) && entry.length === 2 ? entry : [];
    const sound = Number.isFinite(scale) && scale > 0 && isNatural(zeroPoint) && zeroPoint <= 255;
    if (!sound) throw new WireError('metadata-value', 'scales');
    scales[name] = [scale, zeroPoint];
  }
  return scales;
}

function readPacked(value: unknown): Record<string, PackedTensor> {
  if (!isObject(value)) throw new WireError('metadata-value', 'packed');
  const packed: Record<string, PackedTensor> = Object.create(null);
  for (const name of Object.keys(value)) {
    const entry = value[name];
    if (!isObject(entry)) throw new WireError('metadata-value', 'packed');
    const { dtype, shape } = entry;
    if (typeof dtype !== 'string' || !Array.isArray(shape) || !shape.every(isNatural))
      throw new WireError('metadata-value', 'packed');
    packed[name] = { dtype, shape };
  }
  return packed;
}

function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The value, or undefined where the text is no JSON; `null` is no value any field has. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(object: Record<string, string>, key: string): string | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
