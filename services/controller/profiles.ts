/** What workers measured of themselves: the retained profile of every device, kept current. */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { documentReader } from '../core/control/documents.ts';
import { Retained } from '../core/control/retained.ts';
import { type Profile, profileSchema } from '../core/schema/generated/profile.ts';

export interface ProfilesDeps {
  readonly control: Bus;
  readonly topics: Topics;
}

/** A profile has some fifty kinds of operator of a hundred bytes. */
const MOST_BYTES = 100_000;
const parse = documentReader<Profile>(profileSchema, { what: 'profile', mostBytes: MOST_BYTES });

export class Profiles {
  readonly #profiles: Retained<Profile>;
  readonly #listeners = new Set<(profile: Profile) => void>();

  constructor({ control, topics }: ProfilesDeps) {
    this.#profiles = new Retained({
      control,
      filter: topics.filter('profile', { id: '+' }),
      idOf: (topic) => topics.parse('profile', topic)?.id,
      parse: (payload, id) => {
        const profile = parse(payload);
        return profile?.device === id ? profile : undefined;
      },
      came: (profile) => {
        for (const listener of this.#listeners) listener(profile);
      },
    });
  }

  /** Messages that were no profile of the device they came from. */
  get rejected(): number {
    return this.#profiles.rejected;
  }

  async start(): Promise<void> {
    await this.#profiles.start();
  }

  async stop(): Promise<void> {
    await this.#profiles.stop();
  }

  /** Of all devices that ever published one, there or not, in order of id. */
  all(): Profile[] {
    return this.#profiles.all();
  }

  /** Hears every profile that comes; the returned function ends it. */
  onProfile(listener: (profile: Profile) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
