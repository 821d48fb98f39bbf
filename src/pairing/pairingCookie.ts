import type { Crypto } from "#crypto/crypto.js";
import { equalConstantTime, utf8 } from "#kernel/bytes.js";
import type { Address, Instant, RandomSource } from "#kernel/ports.js";

const ROTATE_MS = 60_000;

/** Proof that the other side receives at its address, before anything is remembered or computed. PROTOCOL.md §5. */
export class PairingCookies {
  readonly #crypto: Crypto;
  readonly #random: RandomSource;
  #keys: readonly [current: Uint8Array, previous: Uint8Array];
  #since: Instant = Number.NEGATIVE_INFINITY;

  constructor(crypto: Crypto, random: RandomSource) {
    this.#crypto = crypto;
    this.#random = random;
    this.#keys = [random(32), random(32)];
  }

  /** Binds the cookie to the address, the attempt and the exact offer that will follow. */
  make(from: Address, pid: Uint8Array, bodyHash: Uint8Array, now: Instant): Uint8Array {
    this.#rotate(now);
    return this.#cookie(this.#keys[0], from, pid, bodyHash);
  }

  check(cookie: Uint8Array, from: Address, pid: Uint8Array, bodyHash: Uint8Array, now: Instant): boolean {
    this.#rotate(now);
    return this.#keys.some((key) => equalConstantTime(cookie, this.#cookie(key, from, pid, bodyHash)));
  }

  #cookie(key: Uint8Array, from: Address, pid: Uint8Array, bodyHash: Uint8Array): Uint8Array {
    const address = utf8(`hf1 pair ${from.host} ${from.port} `);
    return this.#crypto.hmacSha256(key, address, pid, bodyHash).slice(0, 16);
  }

  #rotate(now: Instant): void {
    const age = now - this.#since;
    if (age < ROTATE_MS) return;
    // After a quiet time the last key is older than its minute: it goes as well. The first ones have not been used.
    const stale = age >= 2 * ROTATE_MS && Number.isFinite(age);
    this.#keys = [this.#random(32), stale ? this.#random(32) : this.#keys[0]];
    this.#since = now;
  }
}
