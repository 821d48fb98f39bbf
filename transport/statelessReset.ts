import type { Crypto } from "#crypto/crypto.js";
import { concat, equalConstantTime } from "#kernel/bytes.js";
import type { Address, Instant, OutgoingDatagram, RandomSource } from "#kernel/ports.js";
import { sourceKey, TokenBuckets } from "./tokenBuckets.js";

const TOKEN = 16;
/** RFC 9000 §10.3: shorter than every packet of ours, so that a reset is never answered with a reset. */
const RESET = 43;
const MIN_TRIGGER = RESET + 1;
/** One byte of form, 22 random ones and the token. */
const MIN_RESET = 39;
const PER_SECOND = 10;

/** The token that ends a connection whose owner has forgotten it. `key` must outlive the process. */
export function resetToken(crypto: Crypto, key: Uint8Array, cid: Uint8Array): Uint8Array {
  return crypto.hmacSha256(key, cid).slice(0, TOKEN);
}

/** A stateless reset, always shorter than what triggered it; undefined when the trigger is too short to be answered. */
export function buildReset(token: Uint8Array, triggerLength: number, random: RandomSource): Uint8Array | undefined {
  if (triggerLength < MIN_TRIGGER) return undefined;
  const noise = random(RESET - TOKEN);
  noise[0] = 0x40 | ((noise[0] ?? 0) & 0x3f);
  return concat(noise, token);
}

export function endsWithToken(datagram: Uint8Array, token: Uint8Array): boolean {
  return datagram.length >= MIN_RESET && equalConstantTime(datagram.subarray(datagram.length - TOKEN), token);
}

/** Tells who still talks to a connection that we have forgotten, each host ten times a second at most. */
export class StatelessResets {
  readonly #crypto: Crypto;
  readonly #key: Uint8Array;
  readonly #random: RandomSource;
  readonly #hosts = new TokenBuckets(PER_SECOND, PER_SECOND);

  constructor(crypto: Crypto, key: Uint8Array, random: RandomSource) {
    this.#crypto = crypto;
    this.#key = key;
    this.#random = random;
  }

  answer(datagram: Uint8Array, from: Address, now: Instant): OutgoingDatagram | undefined {
    if (!this.#hosts.take(sourceKey(from.host), now)) return undefined;
    const token = resetToken(this.#crypto, this.#key, datagram.subarray(1, 9));
    const bytes = buildReset(token, datagram.length, this.#random);
    return bytes && { bytes, to: from };
  }
}
