import type { Crypto, KeyPair } from "#crypto/crypto.js";
import type { RandomSource } from "#kernel/ports.js";

/**
 * Key pairs that serve one handshake each. One is made ahead, when nobody waits for it: the next dial, or the next answer, begins
 * with its Diffie-Hellman.
 */
export class EphemeralKeys {
  readonly #crypto: Crypto;
  readonly #random: RandomSource;
  #spare: KeyPair | undefined;

  constructor(crypto: Crypto, random: RandomSource) {
    this.#crypto = crypto;
    this.#random = random;
  }

  /** Never the same one twice. */
  take(): KeyPair {
    const pair = this.#spare ?? this.#make();
    this.#spare = undefined;
    return pair;
  }

  prepare(): void {
    this.#spare ??= this.#make();
  }

  #make(): KeyPair {
    return this.#crypto.x25519KeyPair(this.#random(32));
  }
}
