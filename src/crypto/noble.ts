import { cmac } from "@noble/ciphers/aes.js";
import { chacha20poly1305, hchacha, xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { isAllZero } from "#kernel/bytes.js";
import { type Aead, type Crypto, type HeaderMask, type KeyPair, requireLength } from "./crypto.js";
import { nobleMlKem768 } from "./mlKem.js";

const TAG = 16;

/** The portable back end: runs wherever JavaScript does. The reference for every other one. */
export const nobleCrypto: Crypto = {
  name: "noble",
  sha256(...parts) {
    const hash = sha256.create();
    for (const part of parts) hash.update(part);
    return hash.digest();
  },
  hmacSha256(key, ...parts) {
    const mac = hmac.create(sha256, key);
    for (const part of parts) mac.update(part);
    return mac.digest();
  },
  aesCmac({ key, message }) {
    // noble takes the message first; both are often 16 bytes, so a swap would be silent without this check.
    requireLength("aesCmac key", key, 16);
    return cmac(message, key);
  },
  aead: nobleAead,
  xchachaSeal: (key, nonce, aad, plaintext) => xchacha20poly1305(key, nonce, aad).encrypt(plaintext),
  xchachaOpen(key, nonce, aad, ciphertext) {
    try {
      return xchacha20poly1305(key, nonce, aad).decrypt(ciphertext);
    } catch {
      return undefined;
    }
  },
  headerMask: nobleHeaderMask,
  x25519KeyPair: (secret) => ({ secret, public: x25519.getPublicKey(secret) }),
  x25519(own, peerPublic) {
    requireLength("x25519 public key", peerPublic, 32);
    try {
      const shared = x25519.getSharedSecret(own.secret, peerPublic);
      return isAllZero(shared) ? undefined : shared;
    } catch {
      return undefined; // noble throws for low-order points
    }
  },
  p256KeyPair(secret): KeyPair | undefined {
    requireLength("p256 secret key", secret, 32);
    if (!p256.utils.isValidSecretKey(secret)) return undefined;
    return { secret, public: p256.getPublicKey(secret, false) };
  },
  p256IsValidPoint,
  p256SharedSecret(own, peerPublic) {
    if (!p256IsValidPoint(peerPublic)) return undefined;
    return p256.getSharedSecret(own.secret, peerPublic, true).slice(1);
  },
  mlKem768: nobleMlKem768,
};

/** Checks the form first: libraries differ on compressed and hybrid points, and two back ends must not. */
export function p256IsValidPoint(point: Uint8Array): boolean {
  if (point.length !== 65 || point[0] !== 4) return false;
  try {
    p256.Point.fromBytes(point).assertValidity();
    return true;
  } catch {
    return false;
  }
}

function nobleAead(key: Uint8Array): Aead {
  requireLength("aead key", key, 32);
  return {
    seal(nonce, aad, plaintext, out, outOffset) {
      const target = out.subarray(outOffset, outOffset + plaintext.length + TAG);
      target.set(chacha20poly1305(key, nonce, aad).encrypt(plaintext));
    },
    open(nonce, aad, ciphertext) {
      if (ciphertext.length < TAG) return undefined;
      try {
        return chacha20poly1305(key, nonce, aad).decrypt(ciphertext);
      } catch {
        return undefined;
      }
    },
  };
}

const SIGMA = new Uint32Array([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]); // RFC 8439 §2.3, "expand 32-byte k"
/** Scratch of the header masks of all connections: nothing in it outlives a call. */
const MASK_INPUT = new Uint32Array(4);
const MASK_OUTPUT = new Uint32Array(8);

/**
 * HChaCha20 is the ChaCha20 block without the final addition of the input, and its words 0 to 3 line up with the constants.
 * Adding those back gives the first 16 bytes of the block that RFC 9001 §5.4.4 asks for, at a tenth of the price of a cipher object.
 */
export function nobleHeaderMask(key: Uint8Array): HeaderMask {
  requireLength("header protection key", key, 32);
  const keyWords = littleEndianWords(key, 0, new Uint32Array(8));
  return (bytes, mask, offset = 0) => {
    littleEndianWords(bytes, offset, MASK_INPUT);
    hchacha(SIGMA, keyWords, MASK_INPUT, MASK_OUTPUT);
    const first = ((MASK_OUTPUT[0] ?? 0) + (SIGMA[0] ?? 0)) >>> 0;
    mask[0] = first;
    mask[1] = first >>> 8;
    mask[2] = first >>> 16;
    mask[3] = first >>> 24;
    mask[4] = (MASK_OUTPUT[1] ?? 0) + (SIGMA[1] ?? 0);
  };
}

function littleEndianWords(bytes: Uint8Array, offset: number, words: Uint32Array): Uint32Array {
  for (let i = 0; i < words.length; i++) {
    const at = offset + 4 * i;
    words[i] =
      (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
  }
  return words;
}
