/** Seeded random numbers, so that a scene is the same on every machine. */

/** A 32-bit Weyl sequence through the finaliser of MurmurHash3 (Appleby, 2011): small, and good enough to draw with. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not give neighbouring sequences.
    this.#state = mix((seed ^ Math.floor(seed / 0x1_0000_0000)) | 0);
  }

  /** An unsigned 32-bit integer. */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return mix(this.#state) >>> 0;
  }

  /** A number in [from, to). */
  between(from: number, to: number): number {
    return from + (this.bits() / 0x1_0000_0000) * (to - from);
  }

  /** An integer in [from, to]. */
  whole(from: number, to: number): number {
    return Math.floor(this.between(from, to + 1));
  }

  /** About normal, mean 0, deviation 1: the sum of twelve uniforms. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.bits() / 0x1_0000_0000;
    return sum;
  }
}

function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
