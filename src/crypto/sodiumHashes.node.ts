import type { Crypto } from "./crypto.js";
import { nativeCrypto } from "./native.node.js";

/** A whole handshake datagram. Starting node:crypto costs more than hashing so much; beyond, its code for today's processors wins. */
const SHORT = 1280;
const BLOCK = 64;
const DIGEST = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/** SHA-256 of `message` into `digest`, 32 bytes. */
type Hash = (digest: Uint8Array, message: Uint8Array) => void;

/** SHA-256 and HMAC (RFC 2104) of short messages by one function of a library; longer ones are node:crypto's. */
export function sodiumHashes(hash: Hash): Pick<Crypto, "sha256" | "hmacSha256"> {
  /** Scratch: zero again when a call returns, because keys pass through. */
  const inner = new Uint8Array(BLOCK + SHORT);
  const outer = new Uint8Array(BLOCK + DIGEST);
  const innerDigest = outer.subarray(BLOCK);

  const gather = (from: number, parts: readonly Uint8Array[]): Uint8Array => {
    let end = from;
    for (const part of parts) {
      inner.set(part, end);
      end += part.length;
    }
    return inner.subarray(0, end);
  };

  return {
    sha256(...parts) {
      if (lengthOf(parts) > SHORT) return nativeCrypto.sha256(...parts);
      const digest = new Uint8Array(DIGEST);
      const message = gather(0, parts);
      hash(digest, message);
      message.fill(0);
      return digest;
    },
    hmacSha256(key, ...parts) {
      if (key.length > BLOCK || lengthOf(parts) > SHORT) return nativeCrypto.hmacSha256(key, ...parts);
      inner.set(key);
      outer.set(key);
      for (let i = 0; i < BLOCK; i++) {
        inner[i] = (inner[i] ?? 0) ^ INNER_PAD;
        outer[i] = (outer[i] ?? 0) ^ OUTER_PAD;
      }
      const digest = new Uint8Array(DIGEST);
      const message = gather(BLOCK, parts);
      hash(innerDigest, message);
      hash(digest, outer);
      message.fill(0);
      outer.fill(0);
      return digest;
    },
  };
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}
