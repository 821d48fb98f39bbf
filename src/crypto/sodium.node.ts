import { createRequire } from "node:module";
import { type Aead, type Crypto, requireLength } from "./crypto.js";
import { nativeCrypto } from "./native.node.js";

const TAG = 16;

/** The part of sodium-native that is used; the package has no types of its own. */
interface Sodium {
  crypto_aead_chacha20poly1305_ietf_encrypt(
    ciphertext: Uint8Array,
    message: Uint8Array,
    aad: Uint8Array | null,
    secretNonce: null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  /** Throws when the tag does not fit. */
  crypto_aead_chacha20poly1305_ietf_decrypt(
    message: Uint8Array,
    secretNonce: null,
    ciphertext: Uint8Array,
    aad: Uint8Array | null,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
}

/**
 * node:crypto with libsodium's AEAD, or undefined where the optional package is not installed or has no build for this machine.
 * A call costs a quarter of node:crypto's for small and Ethernet-sized packets, and leaves nothing for the garbage collector.
 */
export function loadSodiumCrypto(): Crypto | undefined {
  try {
    const sodium = createRequire(import.meta.url)("sodium-native") as Sodium;
    const crypto: Crypto = { ...nativeCrypto, name: "sodium", aead: (key) => sodiumAead(sodium, key) };
    return agrees(crypto) ? crypto : undefined;
  } catch {
    return undefined;
  }
}

/** Uses the caller's key bytes and keeps no copy: when they are overwritten, the key is gone. */
function sodiumAead(sodium: Sodium, key: Uint8Array): Aead {
  requireLength("aead key", key, 32);
  return {
    seal(nonce, aad, plaintext, out, outOffset) {
      const target = out.subarray(outOffset, outOffset + plaintext.length + TAG);
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(target, plaintext, orNull(aad), null, nonce, key);
    },
    open(nonce, aad, ciphertext, out) {
      const length = ciphertext.length - TAG;
      if (length < 0) return undefined;
      const plaintext = out ? out.subarray(0, length) : new Uint8Array(length);
      try {
        sodium.crypto_aead_chacha20poly1305_ietf_decrypt(plaintext, null, ciphertext, orNull(aad), nonce, key);
      } catch {
        return undefined;
      }
      return plaintext;
    },
  };
}

function orNull(aad: Uint8Array): Uint8Array | null {
  return aad.length === 0 ? null : aad;
}

/** One packet sealed by both: a build that computes something else is not used. */
function agrees(crypto: Crypto): boolean {
  const bytes = Uint8Array.from({ length: 77 }, (_, i) => i);
  const seal = (by: Crypto): Uint8Array => {
    const out = new Uint8Array(64 + TAG);
    by.aead(bytes.subarray(0, 32)).seal(bytes.subarray(0, 12), bytes.subarray(0, 13), bytes.subarray(13), out, 0);
    return out;
  };
  const expected = seal(nativeCrypto);
  return seal(crypto).every((byte, i) => byte === expected[i]);
}
