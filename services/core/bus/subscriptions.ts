/** Who on this connection wants a topic: exact topics by one map look-up, filters by matching levels. */

import type { Handler } from './bus.ts';

export interface Subscriber {
  readonly handler: Handler;
  readonly qos: 0 | 1;
  readonly manual: boolean;
}

/** A shared subscription's messages come under their own topics (MQTT 5, section 4.8.2). */
const SHARED = /^\$share\/[^/]+\//;

/** Whether a filter is a plain topic, so that one look-up finds it (MQTT 3.1.1, section 4.7.1). */
function isExact(filter: string): boolean {
  return !filter.includes('+') && !filter.includes('#') && !SHARED.test(filter);
}

/** Whether `filter` matches `topic` (section 4.7): `+` is one level, a final `#` the rest and the parent itself. */
export function matchesFilter(filter: string, topic: string): boolean {
  const wanted = filter.replace(SHARED, '').split('/');
  const given = topic.split('/');
  // [MQTT-4.7.2-1]
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false;
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true;
    if (i >= given.length) return false;
    if (wanted[i] !== '+' && wanted[i] !== given[i]) return false;
  }
  return wanted.length === given.length;
}

export class Subscriptions {
  readonly #exact = new Map<string, Set<Subscriber>>();
  readonly #filters = new Map<string, Set<Subscriber>>();

  add(filter: string, subscriber: Subscriber): void {
    const table = this.#table(filter);
    const set = table.get(filter);
    if (set) set.add(subscriber);
    else table.set(filter, new Set([subscriber]));
  }

  /** Whether nobody is left on the filter. */
  remove(filter: string, subscriber: Subscriber): boolean {
    const table = this.#table(filter);
    const set = table.get(filter);
    set?.delete(subscriber);
    if (set && set.size > 0) return false;
    table.delete(filter);
    return true;
  }

  /** Every filter with the highest QoS anybody asked for: one SUBSCRIBE serves them all. */
  filters(): [filter: string, qos: 0 | 1][] {
    return [...this.#exact, ...this.#filters].map(([filter, set]) => [filter, highest(set)]);
  }

  qos(filter: string): 0 | 1 {
    return highest(this.#table(filter).get(filter) ?? new Set());
  }

  /** Those who get a message of this topic. */
  match(topic: string): Subscriber[] {
    const found = [...(this.#exact.get(topic) ?? [])];
    for (const [filter, set] of this.#filters) if (matchesFilter(filter, topic)) found.push(...set);
    return found;
  }

  #table(filter: string): Map<string, Set<Subscriber>> {
    return isExact(filter) ? this.#exact : this.#filters;
  }
}

function highest(subscribers: ReadonlySet<Subscriber>): 0 | 1 {
  for (const subscriber of subscribers) if (subscriber.qos === 1) return 1;
  return 0;
}
