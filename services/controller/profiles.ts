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

/** A link that is so many times faster or slower than it was is another one. */
const SAME_LINK = 2;
/** A profile has some fifty kinds of operator of a hundred bytes. */
const MOST_BYTES = 100_000;
const parse = documentReader<Profile>(profileSchema, { what: 'profile', mostBytes: MOST_BYTES });

export class Profiles {
  readonly #profiles: Retained<Profile>;
  /** Devices whose round is from before their workers were started again. */
  readonly #carried = new Set<string>();
  readonly #listeners = new Set<(profile: Profile) => void>();

  constructor({ control, topics }: ProfilesDeps) {
    this.#profiles = new Retained({
      control,
      filter: topics.filter('profile', { id: '+' }),
      idOf: (topic) => topics.parse('profile', topic)?.id,
      parse: (payload, id) => {
        const profile = parse(payload);
        return profile?.device === id ? this.#withRound(profile) : undefined;
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

  /** Whether what it says of a round with others is from before its worker was started again. */
  isCarried(device: string): boolean {
    return this.#carried.has(device);
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

  /**
   * The profile with what its device found out in its last round with others. A worker that is started again knows
   * nothing of it, and while frames flow there is no other round: all would count as unshared what they share.
   */
  #withRound(profile: Profile): Profile {
    const { device, link } = profile;
    const before = this.#profiles.get(device)?.link;
    this.#carried.delete(device);
    if (link === undefined || link.together !== undefined || before?.together === undefined) return profile;
    const times = link.upBytesPerMs / before.upBytesPerMs;
    if (times > SAME_LINK || times < 1 / SAME_LINK) return profile;
    this.#carried.add(device);
    return { ...profile, link: { ...link, together: before.together } };
  }
}
