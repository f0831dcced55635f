/** What workers measured of themselves: the retained profile of every device, kept current. */

import type { Bus } from '../core/bus/bus.ts';
import type { Topics } from '../core/bus/topics.ts';
import { Retained } from '../core/control/retained.ts';
import { documentReader } from '../core/runtime/document-reader.ts';
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

type Together = NonNullable<NonNullable<Profile['link']>['together']>;

export class Profiles {
  readonly #profiles: Retained<Profile>;
  /** By device, the round from before its worker was started again. */
  readonly #carried = new Map<string, Together>();
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
      came: (profile, _, before) => {
        this.#carry(profile, before);
        for (const listener of this.#listeners) listener(this.#withRound(profile));
      },
      erased: ({ device }) => this.#carried.delete(device),
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
    return this.#profiles.all().map((profile) => this.#withRound(profile));
  }

  /** Hears every profile that comes; the returned function ends it. */
  onProfile(listener: (profile: Profile) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * A worker that is started again knows nothing of its device's last round with others, and while frames flow there is no
   * other: all would count as unshared what they share.
   */
  #carry({ device, link }: Profile, before: Profile | undefined): void {
    const round = before?.link?.together ?? this.#carried.get(device);
    this.#carried.delete(device);
    if (link === undefined || link.together !== undefined || !before?.link || round === undefined) return;
    const times = link.upBytesPerMs / before.link.upBytesPerMs;
    if (times <= SAME_LINK && times >= 1 / SAME_LINK) this.#carried.set(device, round);
  }

  /** The profile with what its device found out in its last round with others. */
  #withRound(profile: Profile): Profile {
    const together = this.#carried.get(profile.device);
    return profile.link === undefined || together === undefined
      ? profile
      : { ...profile, link: { ...profile.link, together } };
  }
}
