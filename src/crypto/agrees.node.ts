import { concat } from "#kernel/bytes.js";
import type { Crypto } from "./crypto.js";
import { nativeCrypto } from "./native.node.js";

const TAG = 16;

/** One packet, one mask, one hash, one MAC and one key agreement by both: a build that computes something else is not used. */
export function agreesWithNative(crypto: Crypto): boolean {
  const bytes = Uint8Array.from({ length: 77 }, (_, i) => i);
  const seal = (by: Crypto): Uint8Array => {
    const out = new Uint8Array(64 + TAG);
    by.aead(bytes.subarray(0, 32)).seal(bytes.subarray(0, 12), bytes.subarray(0, 13), bytes.subarray(13), out, 0);
    return out;
  };
  const agree = (by: Crypto): Uint8Array => {
    const own = by.x25519KeyPair(bytes.subarray(0, 32));
    return by.x25519(own, by.x25519KeyPair(bytes.subarray(32, 64)).public) ?? own.secret;
  };
  const mask = (by: Crypto): Uint8Array => {
    const out = new Uint8Array(5);
    by.headerMask(bytes.subarray(0, 32))(bytes, out, 13);
    return out;
  };
  const all = (by: Crypto): Uint8Array =>
    concat(seal(by), mask(by), by.sha256(bytes, bytes), by.hmacSha256(bytes.subarray(0, 32), bytes), agree(by));
  const expected = all(nativeCrypto);
  return all(crypto).every((byte, i) => byte === expected[i]);
}
