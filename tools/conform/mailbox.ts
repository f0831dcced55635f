/** An inbox that keeps what came, and can be waited on. */

import type { Bus, Incoming } from '../../services/core/bus/bus.ts';
import { Assembler } from '../../services/core/wire/assembler.ts';
import type { Message } from '../../services/core/wire/message.ts';

/** What was waited for did not come. */
export class NothingCame extends Error {}

export class Mailbox<T> {
  readonly items: T[] = [];
  readonly #waiting = new Set<() => void>();

  add(item: T): void {
    this.items.push(item);
    for (const look of [...this.#waiting]) look();
  }

  /** The first item, old or new, that `wanted` accepts. Rejects with NothingCame, saying `what`. */
  async first(what: string, wanted: (item: T) => boolean, limitMs: number, after = 0): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const look = (): void => {
        const found = this.items.slice(after).find(wanted);
        if (found === undefined) return;
        end();
        resolve(found);
      };
      const timer = setTimeout(() => {
        end();
        reject(new NothingCame(`${what}: nothing came in ${limitMs} ms`));
      }, limitMs);
      // Who waits for something else as well, such as the end of the command, may be gone by then.
      timer.unref();
      this.#waiting.add(look);
      look();
    });
  }
}

/** Wire messages to one topic, and the payloads they came in. */
export class WireMailbox extends Mailbox<Message> {
  readonly payloads: Incoming[] = [];
  readonly faults: string[] = [];
  readonly #assembler = new Assembler({
    now: () => performance.now(),
    onReject: (error) => this.faults.push(error.message),
  });

  static async open(bus: Bus, topic: string): Promise<WireMailbox> {
    const mailbox = new WireMailbox();
    await bus.subscribe(topic, (incoming) => {
      mailbox.payloads.push(incoming);
      const message = mailbox.#assembler.accept(topic, incoming.payload);
      if (message !== undefined) mailbox.add(message);
    });
    return mailbox;
  }
}
