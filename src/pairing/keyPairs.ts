import type { Crypto, KeyPair } from "#crypto/crypto.js";
import type { RandomSource } from "#kernel/ports.js";
import { freshKeyPair } from "./exchange.js";

/** A key pair made in advance, so that a START costs none. Each is given out once. */
export class ReadyKeyPair {
  readonly #crypto: Crypto;
  readonly #random: RandomSource;
  #ready: KeyPair | undefined;

  constructor(crypto: Crypto, random: RandomSource) {
    this.#crypto = crypto;
    this.#random = random;
  }

  get isReady(): boolean {
    return this.#ready !== undefined;
  }

  next(): KeyPair {
    this.#ready ??= freshKeyPair(this.#crypto, this.#random);
    return this.#ready;
  }

  /** It belongs to an attempt now. */
  taken(): void {
    this.#ready = undefined;
  }

  forget(): void {
    this.#ready?.secret.fill(0);
    this.#ready = undefined;
  }
}
