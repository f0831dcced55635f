/** Back-pressure by topic: one worker on a slow link must not hold up what goes to the others. */

interface Topic {
  bytes: number;
  readonly waiting: { readonly bytes: number; readonly go: () => void }[];
}

export class TopicGate {
  readonly #limitBytes: number;
  readonly #topics = new Map<string, Topic>();

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Undefined where the message may go now, else a promise of its turn. Every entry needs its `leave`. */
  enter(topic: string, bytes: number): Promise<void> | undefined {
    const state = this.#topics.get(topic) ?? { bytes: 0, waiting: [] };
    this.#topics.set(topic, state);
    if (state.waiting.length === 0 && state.bytes < this.#limitBytes) {
      state.bytes += bytes;
      return undefined;
    }
    return new Promise((go) => state.waiting.push({ bytes, go }));
  }

  leave(topic: string, bytes: number): void {
    const state = this.#topics.get(topic);
    if (!state) return;
    state.bytes -= bytes;
    while (state.waiting.length > 0 && state.bytes < this.#limitBytes) {
      const next = state.waiting.shift() as Topic['waiting'][number];
      state.bytes += next.bytes;
      next.go();
    }
    if (state.bytes === 0 && state.waiting.length === 0) this.#topics.delete(topic);
  }
}
