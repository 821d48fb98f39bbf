import type { Crypto } from "#crypto/crypto.js";
import { utf8 } from "#kernel/bytes.js";
import type { Address, Instant, RandomSource } from "#kernel/ports.js";

const ROTATE_MS = 120_000;
const COOKIE = 16;

/** Stateless proof that a client receives at its address: an HMAC under a secret that changes every two minutes. */
export class CookieJar {
  readonly #crypto: Crypto;
  readonly #random: RandomSource;
  #secret: Uint8Array;
  #previous: Uint8Array;
  #since: Instant;

  constructor(crypto: Crypto, random: RandomSource, now: Instant) {
    this.#crypto = crypto;
    this.#random = random;
    this.#secret = random(32);
    this.#previous = random(32);
    this.#since = now;
  }

  current(from: Address, now: Instant): Uint8Array {
    this.#rotate(now);
    return this.#make(this.#secret, from);
  }

  /** The cookies that are good now: of this secret and of the one before. */
  valid(from: Address, now: Instant): readonly Uint8Array[] {
    this.#rotate(now);
    return [this.#make(this.#secret, from), this.#make(this.#previous, from)];
  }

  #make(secret: Uint8Array, from: Address): Uint8Array {
    return this.#crypto.hmacSha256(secret, utf8(`${from.host} ${from.port}`)).slice(0, COOKIE);
  }

  #rotate(now: Instant): void {
    const age = now - this.#since;
    if (age < ROTATE_MS) return;
    // Nobody may have asked for long: then the last secret is too old as well.
    this.#previous = age < 2 * ROTATE_MS ? this.#secret : this.#random(32);
    this.#secret = this.#random(32);
    this.#since = now;
  }
}
