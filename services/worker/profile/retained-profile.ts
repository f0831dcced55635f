/** A worker's profile on the bus, retained, and said again to a broker that has lost it. */

import type { Channels } from '../../core/bus/connections.ts';
import { asTilepipeError } from '../../core/runtime/errors.ts';
import type { Log } from '../../core/runtime/log.ts';
import type { Profile } from '../../core/schema/generated/profile.ts';

export interface RetainedProfileDeps {
  readonly channels: Pick<Channels, 'topics' | 'control'>;
  readonly log: Log;
}

export class RetainedProfile {
  readonly #deps: RetainedProfileDeps;
  #profile: Profile | undefined;

  constructor(deps: RetainedProfileDeps) {
    this.#deps = deps;
  }

  /** Publishes it from now on. */
  async start(profile: Profile): Promise<void> {
    await this.publish(profile);
    this.#deps.channels.control.onUp(() => {
      if (this.#profile === undefined) return;
      this.publish(this.#profile).catch((error: unknown) =>
        // Lost again meanwhile: the next connection brings it.
        this.#deps.log.warn(`profile not published again: ${asTilepipeError(error).message}`),
      );
    });
  }

  /** What was published stays. */
  stop(): void {
    this.#profile = undefined;
  }

  async publish(profile: Profile): Promise<void> {
    this.#profile = profile;
    const { control, topics } = this.#deps.channels;
    const topic = topics.build('profile', { id: profile.device });
    await control.publish(topic, Buffer.from(JSON.stringify(profile)), { qos: 1, retain: true });
  }
}
