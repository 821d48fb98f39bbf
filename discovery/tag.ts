import type { Crypto } from "#crypto/crypto.js";
import { concat, equalConstantTime, utf8 } from "#kernel/bytes.js";
import type { RandomSource } from "#kernel/ports.js";

const PRAND = 8;
const HASH = 8;
const LABEL = utf8("hf tag");

/** What only bonded devices recognise: `prand 8 ‖ AES-CMAC(irk, "hf tag" ‖ prand)[0..8]`. PROTOCOL.md §2. */
export function makeTag(crypto: Crypto, irk: Uint8Array, random: RandomSource): Uint8Array {
  const prand = random(PRAND);
  return concat(prand, hash(crypto, irk, prand));
}

/** True when the announcement was made with this identity resolving key. A hint only: anybody can repeat a tag. */
export function tagMatches(crypto: Crypto, irk: Uint8Array, tag: Uint8Array): boolean {
  return (
    tag.length === PRAND + HASH && equalConstantTime(tag.subarray(PRAND), hash(crypto, irk, tag.subarray(0, PRAND)))
  );
}

function hash(crypto: Crypto, irk: Uint8Array, prand: Uint8Array): Uint8Array {
  return crypto.aesCmac({ key: irk, message: concat(LABEL, prand) }).slice(0, HASH);
}
