/** What the embedded broker lets clients do, beyond what its library checks itself. */

import { timingSafeEqual } from 'node:crypto';
import { TilepipeError } from '../core/runtime/errors.ts';

export interface PolicyLimits {
  /** Levels of a topic, 1 to 100. */
  readonly maxTopicLevels: number;
  /** Bytes of all retained messages together: payloads, topics and RETAINED_BYTES for each. */
  readonly maxRetainedBytes: number;
}

/** Of a broker that is not there for everybody who reaches it. */
export interface Access {
  /** The password of every client; user names say nothing. */
  readonly key: string;
  /** All that clients may publish, never retained; they may subscribe nothing. */
  readonly topics: readonly string[];
}

/** What the library keeps of a retained message beside payload and topic: the packet and its places in the store. */
const RETAINED_BYTES = 512;

/** A refusal with the name it is counted under. */
export class Refusal extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

export class Policy {
  readonly #limits: PolicyLimits;
  readonly #access: Access | undefined;
  readonly #retained = new Map<string, number>();
  #retainedBytes = 0;

  /** Without `access` everybody is a client. */
  constructor(limits: PolicyLimits, access?: Access) {
    this.#limits = limits;
    this.#access = access;
  }

  /** Why a client must not connect. */
  connect(password: Buffer | undefined): Refusal | undefined {
    if (this.#access === undefined) return undefined;
    const key = Buffer.from(this.#access.key);
    const known = password?.length === key.length && timingSafeEqual(password, key);
    return known ? undefined : new Refusal('bad-key', 'a client without the key');
  }

  /** Why a message must not be published, wills included; undefined where it may. Accounts for retained bytes. */
  publish(topic: string, payloadBytes: number, retain: boolean): Refusal | undefined {
    if (topic.startsWith('$')) return new Refusal('reserved-topic', `${topic} is reserved for the broker`);
    // Wills reach the broker unchecked by the rules for PUBLISH [MQTT-3.3.2-2].
    if (topic === '' || /[+#\0]/.test(topic)) return new Refusal('bad-topic', 'a topic with a wildcard');
    if (levels(topic) > this.#limits.maxTopicLevels) return new Refusal('bad-topic', 'too many topic levels');
    if (this.#access !== undefined && (retain || !this.#access.topics.includes(topic)))
      return new Refusal('not-allowed', `${topic} is not published here`);
    return retain ? this.#retain(topic, payloadBytes) : undefined;
  }

  /** Why a filter must not be subscribed. */
  subscribe(filter: string): Refusal | undefined {
    // The library would grant it and deliver nothing.
    if (filter.startsWith('$share/')) return new Refusal('shared-subscription', `${filter}: not supported`);
    if (levels(filter) > this.#limits.maxTopicLevels)
      return new Refusal('bad-topic', 'too many topic levels');
    if (this.#access !== undefined) return new Refusal('not-allowed', `${filter} is not subscribed here`);
    return undefined;
  }

  #retain(topic: string, payloadBytes: number): Refusal | undefined {
    const before = this.#retained.get(topic) ?? 0;
    // An empty payload removes what was retained [MQTT-3.3.1-10].
    const bytes = payloadBytes === 0 ? 0 : payloadBytes + Buffer.byteLength(topic) + RETAINED_BYTES;
    const after = this.#retainedBytes - before + bytes;
    if (bytes > before && after > this.#limits.maxRetainedBytes) {
      return new Refusal('retained-full', `retained messages already take ${this.#retainedBytes} bytes`);
    }
    this.#retainedBytes = after;
    if (bytes === 0) this.#retained.delete(topic);
    else this.#retained.set(topic, bytes);
    return undefined;
  }
}

function levels(topic: string): number {
  return topic.split('/').length;
}

/** The error of a listener that could not be opened. */
export function listenError(host: string, port: number, error: NodeJS.ErrnoException): TilepipeError {
  const why = error.code === 'EADDRINUSE' ? 'the port is in use' : error.message;
  return new TilepipeError('port-taken', `the broker cannot listen on ${host}:${port}: ${why}`, {
    cause: error,
  });
}
