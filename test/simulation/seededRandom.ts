import type { RandomSource } from "#kernel/ports.js";

/** Random numbers that are the same for the same seed (sfc32). Never for keys outside tests. */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 15; i++) this.#next();
  }

  /** 0 (included) to 1 (excluded). */
  number(): number {
    return this.#next() / 2 ** 32;
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return probability > 0 && this.number() < probability;
  }

  /** 0 to `below` - 1. */
  integer(below: number): number {
    return Math.floor(this.number() * below);
  }

  readonly bytes: RandomSource = (length) => {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) out[i] = this.#next() >>> 24;
    return out;
  };

  #next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }
}
