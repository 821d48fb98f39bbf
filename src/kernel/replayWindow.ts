const WORD = 32;

/**
 * Which packet numbers were accepted before (RFC 6479's idea: a ring of bit words, no shifting).
 * `check` first, authenticate, then `accept`: a forged number must not move the window.
 */
export class ReplayWindow {
  readonly #words: Uint32Array;
  readonly #span: number;
  #highest = -1;

  /** `size`: how far below the highest number a late one may be; rounded up to words of 32. */
  constructor(size = 1024) {
    const words = Math.ceil(size / WORD) + 1;
    this.#words = new Uint32Array(words);
    this.#span = (words - 1) * WORD;
  }

  /** Highest accepted number, -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** True when `number` is neither a duplicate nor too old to tell. */
  check(number: number): boolean {
    if (number > this.#highest) return true;
    if (number <= this.#highest - this.#span) return false;
    return (this.#word(number) & (1 << (number % WORD))) === 0;
  }

  accept(number: number): void {
    if (number > this.#highest) this.#advance(number);
    const slot = this.#slot(number);
    this.#words[slot] = (this.#words[slot] ?? 0) | (1 << (number % WORD));
  }

  #advance(number: number): void {
    const from = Math.floor(Math.max(this.#highest, 0) / WORD);
    const to = Math.floor(number / WORD);
    if (to - from >= this.#words.length) this.#words.fill(0);
    else for (let word = from + 1; word <= to; word++) this.#words[word % this.#words.length] = 0;
    this.#highest = number;
  }

  #slot(number: number): number {
    return Math.floor(number / WORD) % this.#words.length;
  }

  #word(number: number): number {
    return this.#words[this.#slot(number)] ?? 0;
  }
}
