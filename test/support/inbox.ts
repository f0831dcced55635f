/** Collects what a bus delivers, and waits for it. */

import type { Bus, Incoming, SubscribeOptions } from '../../services/core/bus/bus.ts';

export class Inbox {
  readonly messages: Incoming[] = [];
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  readonly take = (message: Incoming): void => {
    this.messages.push(message);
    for (const { count, resolve } of this.#waiting) if (this.messages.length >= count) resolve();
  };

  /** Subscribes an inbox of its own. */
  static async on(bus: Bus, filter: string, options?: SubscribeOptions): Promise<Inbox> {
    const inbox = new Inbox();
    await bus.subscribe(filter, inbox.take, options);
    return inbox;
  }

  /** The messages, once there are at least `count`. */
  async have(count: number): Promise<Incoming[]> {
    if (this.messages.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    }
    return this.messages;
  }

  get texts(): string[] {
    return this.messages.map((message) => message.payload.toString());
  }
}

/** Resolves at the bus's next connect. */
export function nextUp(bus: Bus): Promise<void> {
  return new Promise((resolve) => bus.onUp(resolve));
}

/** Resolves when the bus next loses its connection. */
export function nextDown(bus: Bus): Promise<void> {
  return new Promise((resolve) => bus.onDown(resolve));
}
