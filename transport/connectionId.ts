import type { Crypto } from "#crypto/crypto.js";
import { concat, equalConstantTime } from "#kernel/bytes.js";
import type { RandomSource } from "#kernel/ports.js";

const TOKEN = 16;
const TWO_32 = 0x1_0000_0000;
/** RFC 9000 §10.3: shorter than every packet of ours, so that a reset is never answered with a reset. */
const RESET = 43;
const MIN_TRIGGER = RESET + 1;
/** One byte of form, 22 random ones and the token. */
const MIN_RESET = 39;

/** 52 bits of a connection ID as a number: the fastest key a Map can have. */
export function cidKey(bytes: Uint8Array, at = 0): number {
  const high = ((bytes[at] ?? 0) << 12) | ((bytes[at + 1] ?? 0) << 4) | ((bytes[at + 2] ?? 0) >> 4);
  const low =
    (((bytes[at + 3] ?? 0) << 24) |
      ((bytes[at + 4] ?? 0) << 16) |
      ((bytes[at + 5] ?? 0) << 8) |
      (bytes[at + 6] ?? 0)) >>>
    0;
  return high * TWO_32 + low;
}

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
