/** What workers measured of themselves: the retained profile of every device, kept current. */

import type { Bus, Incoming } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { validator } from '../core/runtime/validate.ts';
import { type Profile, profileSchema } from '../core/schema/generated/profile.ts';

export interface ProfilesDeps {
  readonly control: Bus;
  readonly topics: Topics;
}

const check = validator<Profile>(profileSchema, 'wire-invalid', { what: 'profile', firstOnly: true });
/** A profile has some fifty kinds of operator of a hundred bytes. */
const MOST_BYTES = 100_000;

export class Profiles {
  readonly #deps: ProfilesDeps;
  readonly #profiles = new Map<string, Profile>();
  readonly #listeners = new Set<(profile: Profile) => void>();
  #undo: (() => Promise<void>) | undefined;
  /** Messages that were no profile of the device they came from. */
  rejected = 0;

  constructor(deps: ProfilesDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { control, topics } = this.#deps;
    const filter = topics.filter('profile', { id: '+' });
    this.#undo = await control.subscribe(filter, (message) => this.#receive(message), { qos: 1 });
  }

  async stop(): Promise<void> {
    await this.#undo?.();
    this.#undo = undefined;
    this.#profiles.clear();
  }

  /** Of all devices that ever published one, there or not, in order of id. */
  all(): Profile[] {
    return [...this.#profiles.values()].sort((a, b) => (a.device < b.device ? -1 : 1));
  }

  /** Hears every profile that comes; the returned function ends it. */
  onProfile(listener: (profile: Profile) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #receive({ topic, payload }: Incoming): void {
    const id = this.#deps.topics.parse('profile', topic)?.id ?? '';
    // An empty retained message erases it for good.
    if (payload.length === 0) {
      this.#profiles.delete(id);
      return;
    }
    const profile = parse(payload);
    if (profile === undefined || profile.device !== id) {
      this.rejected++;
      return;
    }
    this.#profiles.set(id, profile);
    for (const listener of this.#listeners) listener(profile);
  }
}

function parse(payload: Buffer): Profile | undefined {
  if (payload.length > MOST_BYTES) return undefined;
  try {
    return check(JSON.parse(payload.toString('utf8')));
  } catch {
    return undefined;
  }
}
