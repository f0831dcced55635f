/** Lays a message out as one safetensors file in memory, to be filled in place and sent in parts. */

import type { DType } from '../graph/types.ts';
import { TilepipeError } from '../runtime/errors.ts';
import { elementBytes, safetensorsName, tensorBytes } from '../tensor/dtype.ts';
import type { BodyPool } from './body-pool.ts';
import { CODECS } from './codecs.ts';
import { copyWithCrc32, crc32 } from './crc32.ts';
import { writeEnvelope } from './envelope.ts';
import { ENVELOPE_BYTES, MAX_HEADER_BYTES, MAX_PARTS, MAX_TENSORS, MIN_MESSAGE_BYTES } from './limits.ts';
import type { Message, MessageMeta } from './message.ts';
import { nextMessageId } from './message-id.ts';
import { deadlineText, metadataToText } from './metadata.ts';
import type { Scale } from './quantise.ts';

/** What a message is to hold: a name, and the type and extents of the tensor (or of the box of one). */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

interface Place {
  readonly spec: TensorSpec;
  readonly codec: string;
  readonly scale: Scale | undefined;
  readonly wireType: DType;
  readonly begin: number;
  readonly end: number;
}

/** A message with its bytes: made by `layoutMessage`, filled through `bytes` or `fill`, sent by `parts`. */
export class LaidMessage {
  readonly meta: MessageMeta;
  /** One unmodified safetensors file. */
  readonly body: Buffer;
  /** 32 free bytes, then the body: a message of one part needs no copy. */
  readonly framed: Buffer;
  readonly #places: ReadonlyMap<string, Place>;
  readonly #deadlineAt: number;
  readonly #pool: BodyPool | undefined;
  /** How often it went out as a message of one part. */
  #claims = 0;
  #given = false;

  constructor(
    meta: MessageMeta,
    framed: Buffer,
    places: ReadonlyMap<string, Place>,
    deadlineAt: number,
    pool: BodyPool | undefined,
  ) {
    this.meta = meta;
    this.framed = framed;
    this.body = framed.subarray(ENVELOPE_BYTES);
    this.#places = places;
    this.#deadlineAt = deadlineAt;
    this.#pool = pool;
  }

  /** Writable bytes of a tensor as they travel (for codec raw: its elements). Throws `internal` for a stranger. */
  bytes(name: string): Buffer {
    const { begin, end } = this.#place(name);
    return this.body.subarray(begin, end);
  }

  /** Writes a tensor's elements through its codec; `elements` is as long as its type and shape say. */
  fill(name: string, elements: Uint8Array): void {
    const { spec, codec, scale, begin, end } = this.#place(name);
    if (elements.byteLength !== tensorBytes(spec.dtype, spec.shape)) {
      throw new TilepipeError('internal', `${elements.byteLength} bytes given for tensor "${name}"`);
    }
    CODECS.get(codec)?.encode(spec.dtype, elements, this.body.subarray(begin, end), scale);
  }

  /** Lowers the time left, in place; nothing else moves. Has no effect where the message was laid out without one. */
  setDeadline(milliseconds: number): void {
    writeDeadline(this.body, this.#deadlineAt, milliseconds);
  }

  /**
   * Gives the memory back to the pool it came from, at most once, when the message will not be sent again.
   * Memory that went out uncopied, as a message of one part, is left to the collector, for a socket may still read it;
   * unless it went out once and was `received`: its receiver has answered it.
   */
  release(received = false): void {
    if (this.#pool === undefined || this.#given) return;
    if (this.#claims > 0 && !(received && this.#claims === 1)) return;
    this.#given = true;
    this.#pool.give(this.framed.buffer as ArrayBuffer);
  }

  /** Memory to write a message of one part in: the message's own the first time, a copy afterwards. */
  claim(deadlineMs: number | undefined): Buffer {
    const framed = this.#claims > 0 ? Buffer.from(this.framed) : this.framed;
    if (deadlineMs !== undefined) {
      writeDeadline(framed.subarray(ENVELOPE_BYTES), this.#deadlineAt, deadlineMs);
    }
    this.#claims++;
    return framed;
  }

  #place(name: string): Place {
    const place = this.#places.get(name);
    if (place === undefined) throw new TilepipeError('internal', `no tensor "${name}" in this message`);
    return place;
  }
}

function writeDeadline(body: Buffer, at: number, milliseconds: number): void {
  if (at >= 0) body.write(deadlineText(milliseconds), at, 'latin1');
}

/**
 * Makes room for a message. Tensors lie in order of element size, the largest first, so that each is aligned to
 * its elements without gaps (the safetensors format allows none); within a size, in the order given.
 * `meta.codecs` names the codec of each tensor, `meta.scales` the steps of those that are bytes. The bytes of the tensors
 * are not cleared: fill every one.
 * Throws `internal` for duplicate names or unknown codecs, `message-too-large` for a header beyond 64 KB.
 */
export function layoutMessage(
  meta: MessageMeta,
  tensors: readonly TensorSpec[],
  pool?: BodyPool,
): LaidMessage {
  if (tensors.length > MAX_TENSORS) {
    throw new TilepipeError(
      'message-too-large',
      `${tensors.length} tensors in one message; ${MAX_TENSORS} are allowed`,
    );
  }
  const { places, entries, dataBytes } = place(meta, tensors);
  const text = JSON.stringify({ __metadata__: metadataToText(meta), ...entries });
  const headerBytes = Math.ceil(Buffer.byteLength(text) / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new TilepipeError(
      'message-too-large',
      `the header of a ${meta.kind} message with ${tensors.length} tensors has ${headerBytes} bytes; ${MAX_HEADER_BYTES} are allowed`,
    );
  }
  const dataAt = 8 + headerBytes;
  const total = ENVELOPE_BYTES + dataAt + dataBytes;
  const framed = pool === undefined ? Buffer.allocUnsafeSlow(total) : Buffer.from(pool.take(total), 0, total);
  const body = framed.subarray(ENVELOPE_BYTES);
  body.writeBigUInt64LE(BigInt(headerBytes), 0);
  const written = body.write(text, 8);
  body.fill(0x20, 8 + written, dataAt);
  const shifted = new Map<string, Place>();
  for (const [name, at] of places)
    shifted.set(name, { ...at, begin: dataAt + at.begin, end: dataAt + at.end });
  return new LaidMessage(meta, framed, shifted, deadlinePosition(meta, text), pool);
}

function place(meta: MessageMeta, tensors: readonly TensorSpec[]) {
  const places = new Map<string, Place>();
  const rows = tensors.map((spec) => {
    const codec = meta.codecs?.[spec.name] ?? 'raw';
    const wireType = CODECS.get(codec)?.wireType(spec.dtype);
    if (wireType === undefined) {
      throw new TilepipeError(
        'internal',
        `codec "${codec}" does not take tensor "${spec.name}" of ${spec.dtype}`,
      );
    }
    const scale = meta.scales?.[spec.name];
    if (codec === 'uint8' && scale === undefined)
      throw new TilepipeError('internal', `tensor "${spec.name}" has codec uint8 and no scale`);
    return { spec, codec, scale, wireType };
  });
  // Numeric names would be listed first by a JavaScript object; receivers go by the offsets, not by the order.
  const entries: Record<string, object> = Object.create(null);
  let end = 0;
  for (const row of rows.sort((a, b) => elementBytes(b.wireType) - elementBytes(a.wireType))) {
    const { name, shape } = row.spec;
    if (places.has(name) || name === '__metadata__' || name === '__proto__' || name === '') {
      throw new TilepipeError(
        'internal',
        `a message cannot have two tensors "${name}", or one without a name`,
      );
    }
    const begin = end;
    end += tensorBytes(row.wireType, shape);
    places.set(name, { ...row, begin, end });
    entries[name] = { dtype: safetensorsName(row.wireType), shape, data_offsets: [begin, end] };
  }
  return { places, entries, dataBytes: end };
}

/** Where the digits of the deadline stand in the body, or -1. */
function deadlinePosition(meta: MessageMeta, text: string): number {
  if (meta.deadlineMs === undefined) return -1;
  // Quotes inside strings are escaped, so the key with its quotes can only be the key. It follows fields of free
  // text, whose characters may take several bytes each.
  const key = '"deadlineMs":"';
  const at = text.indexOf(`${key}${deadlineText(meta.deadlineMs)}"`);
  return 8 + Buffer.byteLength(text.slice(0, at)) + key.length;
}

/** A whole message in one call: laid out, and filled from tensors at hand. */
export function encodeMessage({ meta, tensors }: Message, pool?: BodyPool): LaidMessage {
  const laid = layoutMessage(meta, tensors, pool);
  for (const { name, bytes } of tensors) laid.fill(name, bytes);
  return laid;
}

/**
 * The MQTT payloads that carry a message, each at most `maxMessageBytes` long. `deadlineMs`, where given, replaces
 * the time left. Every call makes a message of its own (a new id), so a message sent twice is received twice;
 * `id` is for vectors that must come out the same every time.
 * The first call on a message of one part returns the message's own memory: do not change it afterwards.
 * Throws `message-too-large` where the body needs more than 65535 parts.
 */
export function parts(
  message: LaidMessage,
  maxMessageBytes: number,
  deadlineMs?: number,
  id: bigint = nextMessageId(),
): Buffer[] {
  const slice = Math.max(MIN_MESSAGE_BYTES, Math.floor(maxMessageBytes)) - ENVELOPE_BYTES;
  const { kind } = message.meta;
  const bodyBytes = message.body.length;
  const count = Math.ceil(bodyBytes / slice);
  if (count > MAX_PARTS || bodyBytes > 0xffffffff) {
    throw new TilepipeError(
      'message-too-large',
      `a ${kind} message of ${bodyBytes} bytes needs ${count} parts`,
    );
  }
  if (count === 1) {
    const framed = message.claim(deadlineMs);
    const checksum = crc32(framed.subarray(ENVELOPE_BYTES));
    writeEnvelope(framed, { kind, part: 0, parts: 1, bodyBytes, offset: 0, id, checksum });
    return [framed];
  }
  if (deadlineMs !== undefined) message.setDeadline(deadlineMs);
  const payloads: Buffer[] = [];
  for (let part = 0; part < count; part++) {
    const offset = part * slice;
    const source = message.body.subarray(offset, offset + slice);
    const payload = Buffer.allocUnsafeSlow(ENVELOPE_BYTES + source.length);
    const checksum = copyWithCrc32(source, payload.subarray(ENVELOPE_BYTES));
    writeEnvelope(payload, { kind, part, parts: count, bodyBytes, offset, id, checksum });
    payloads.push(payload);
  }
  return payloads;
}
