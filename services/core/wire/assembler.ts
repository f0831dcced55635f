/** Turns received MQTT payloads into messages: checks each part, and puts the parts of a message together within bounds. */

import { BodyPool } from './body-pool.ts';
import { decodeBody } from './decode.ts';
import { type Envelope, readEnvelope } from './envelope.ts';
import { DEFAULT_MAX_BODY_BYTES, ENVELOPE_BYTES } from './limits.ts';
import type { Message } from './message.ts';
import { WireError, type WireReason } from './wire-error.ts';

export interface AssemblerOptions {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  /** Largest body taken. */
  readonly maxBodyBytes?: number;
  /** Bytes reserved for incomplete messages, all together. */
  readonly maxBytes?: number;
  /** Incomplete messages at once. */
  readonly maxMessages?: number;
  /** Time between the first and the last part of a message, in milliseconds. */
  readonly maxAgeMs?: number;
  /** Whether the receiver reads pictures, which tensors may be; false by default: then they are refused. */
  readonly pictures?: boolean;
  /** Told of every payload that is no message, for the log. */
  readonly onReject?: (error: WireError, from: string) => void;
}

/** A received message. Its tensors are views into memory that `release` may give to a later message. */
export interface Received extends Message {
  /**
   * Says that no view of the tensors will be used again: memory that was put together from parts is used for the
   * next message, which is cheaper than fresh pages. Nobody has to; the collector takes what is not released.
   */
  release(): void;
}

export interface AssemblerCounters {
  /** Whole messages handed out. */
  readonly messages: number;
  readonly parts: number;
  /** Payload bytes of accepted parts, envelopes included. */
  readonly bytes: number;
  /** Parts that had arrived before. */
  readonly duplicates: number;
  /** Incomplete messages given up because they grew old. */
  readonly expired: number;
  /** Incomplete messages given up to make room. */
  readonly evicted: number;
  /** Tensors copied because they started at an odd byte. */
  readonly misaligned: number;
  readonly rejected: Readonly<Partial<Record<WireReason, number>>>;
}

interface Assembly {
  readonly from: string;
  readonly first: Envelope;
  /** Bytes in every part but the last, once a part has told; the last part alone tells it too. */
  readonly slice: number;
  readonly body: Buffer;
  readonly arrived: Uint8Array;
  readonly startedAt: number;
  missing: number;
}

/** Released memory kept for the next messages. */
const POOL_BYTES = 33_554_432;

/** Finished messages remembered, so that a late duplicate of a part does not begin a message anew. */
const REMEMBERED = 1024;

export class Assembler {
  readonly #options: Required<Omit<AssemblerOptions, 'onReject'>>;
  readonly #onReject: AssemblerOptions['onReject'];
  /** By sender and message id, the oldest first. */
  readonly #assemblies = new Map<string, Assembly>();
  readonly #finished = new Set<string>();
  readonly #rejected = new Map<WireReason, number>();
  readonly #pool = new BodyPool(POOL_BYTES);
  #bytesHeld = 0;
  #messages = 0;
  #parts = 0;
  #bytes = 0;
  #duplicates = 0;
  #expired = 0;
  #evicted = 0;
  #misaligned = 0;

  constructor(options: AssemblerOptions) {
    const maxBodyBytes = options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
    this.#options = {
      now: options.now,
      maxBodyBytes,
      maxBytes: Math.max(options.maxBytes ?? 2 * maxBodyBytes, maxBodyBytes),
      maxMessages: options.maxMessages ?? 256,
      maxAgeMs: options.maxAgeMs ?? 10_000,
      pictures: options.pictures ?? false,
    };
    this.#onReject = options.onReject;
  }

  /**
   * Takes one payload received on the topic `from`; returns the message it completes, if it does.
   * Never throws: what is no message is counted by reason and told to `onReject`.
   * Tensors of a message of one part are views into `payload`, which must not be changed afterwards.
   */
  accept(from: string, payload: Buffer): Received | undefined {
    try {
      const envelope = readEnvelope(payload, this.#options.maxBodyBytes);
      const slice = payload.subarray(ENVELOPE_BYTES);
      const body = envelope.parts === 1 ? this.#count(payload) && slice : this.#add(from, envelope, slice);
      if (body === undefined) return undefined;
      const { meta, tensors, misaligned } = decodeBody(body, envelope.kind, this.#options.maxBodyBytes);
      const picture = this.#options.pictures ? undefined : tensors.find((tensor) => tensor.picture);
      if (picture !== undefined) throw new WireError('codec', `${picture.name} is a ${picture.picture}`);
      this.#misaligned += misaligned;
      this.#messages++;
      return { meta, tensors, release: envelope.parts === 1 ? keep : this.#giver(body) };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.refuse(error, from);
      return undefined;
    }
  }

  /** Counts a message that turned out later to be none: one of its pictures could not be read. */
  refuse(error: WireError, from: string): void {
    this.#rejected.set(error.reason, (this.#rejected.get(error.reason) ?? 0) + 1);
    this.#onReject?.(error, from);
  }

  /** Gives up incomplete messages beyond their age; also done on every `accept`. */
  expire(): void {
    const oldest = this.#options.now() - this.#options.maxAgeMs;
    for (const [key, assembly] of this.#assemblies) {
      if (assembly.startedAt > oldest) return;
      this.#remove(key, assembly);
      this.#expired++;
    }
  }

  counters(): AssemblerCounters {
    return {
      messages: this.#messages,
      parts: this.#parts,
      bytes: this.#bytes,
      duplicates: this.#duplicates,
      expired: this.#expired,
      evicted: this.#evicted,
      misaligned: this.#misaligned,
      rejected: Object.fromEntries(this.#rejected),
    };
  }

  /** Memory reserved for incomplete messages, in bytes. */
  get heldBytes(): number {
    return this.#bytesHeld;
  }

  #giver(body: Buffer): () => void {
    let memory: ArrayBuffer | undefined = body.buffer as ArrayBuffer;
    return () => {
      if (memory !== undefined) this.#pool.give(memory);
      memory = undefined;
    };
  }

  #count(payload: Buffer): true {
    this.#parts++;
    this.#bytes += payload.length;
    return true;
  }

  /** The body, once its last missing part has arrived. */
  #add(from: string, envelope: Envelope, part: Buffer): Buffer | undefined {
    this.expire();
    const key = `${envelope.id.toString(16)} ${from}`;
    if (this.#finished.has(key)) {
      this.#duplicates++;
      return undefined;
    }
    const assembly = this.#assemblies.get(key) ?? this.#begin(key, from, envelope, part.length);
    checkAgainst(assembly, envelope, part.length);
    if (assembly.arrived[envelope.part] === 1) {
      this.#duplicates++;
      return undefined;
    }
    assembly.arrived[envelope.part] = 1;
    assembly.missing--;
    assembly.body.set(part, envelope.offset);
    this.#parts++;
    this.#bytes += part.length + ENVELOPE_BYTES;
    if (assembly.missing > 0) return undefined;
    this.#remove(key, assembly);
    this.#finished.add(key);
    if (this.#finished.size > REMEMBERED)
      this.#finished.delete(this.#finished.values().next().value as string);
    return assembly.body;
  }

  #begin(key: string, from: string, first: Envelope, partBytes: number): Assembly {
    const { maxBytes, maxMessages, now } = this.#options;
    while (this.#assemblies.size >= maxMessages || this.#bytesHeld + first.bodyBytes > maxBytes)
      this.#evict(from);
    const assembly = {
      from,
      first,
      slice: first.part < first.parts - 1 ? partBytes : first.offset / first.part,
      // Tensors start at multiples of 8 in the body, and memory of its own starts aligned.
      body: Buffer.from(this.#pool.take(first.bodyBytes), 0, first.bodyBytes),
      arrived: new Uint8Array(first.parts),
      startedAt: now(),
      missing: first.parts,
    };
    this.#assemblies.set(key, assembly);
    this.#bytesHeld += first.bodyBytes;
    return assembly;
  }

  /**
   * Makes room: the oldest message from the same topic goes first, so that a flood on one camera's topic is that
   * camera's loss. In an inbox all senders share one topic, and the oldest goes, whoever sent it.
   */
  #evict(from: string): void {
    let victim: [string, Assembly] | undefined;
    for (const entry of this.#assemblies) {
      victim ??= entry;
      if (entry[1].from !== from) continue;
      victim = entry;
      break;
    }
    if (victim === undefined) return;
    this.#remove(...victim);
    this.#evicted++;
  }

  #remove(key: string, assembly: Assembly): void {
    this.#assemblies.delete(key);
    this.#bytesHeld -= assembly.first.bodyBytes;
  }
}

/** Memory that is the broker connection's. */
function keep(): void {}

/** Parts of one message agree on everything; then equal indexes mean equal bytes, and no two parts overlap. */
function checkAgainst({ first, slice }: Assembly, envelope: Envelope, partBytes: number): void {
  const last = envelope.part === envelope.parts - 1;
  const agrees =
    envelope.kind === first.kind &&
    envelope.parts === first.parts &&
    envelope.bodyBytes === first.bodyBytes &&
    envelope.offset === envelope.part * slice &&
    (last || partBytes === slice);
  if (!agrees) throw new WireError('part-conflict', `part ${envelope.part} of ${envelope.parts}`);
}
