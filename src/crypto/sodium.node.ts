import { createRequire } from "node:module";
import { agreesWithNative } from "./agrees.node.js";
import { checkedAead } from "./checkedAead.js";
import { type Aead, type Crypto, type HeaderMask, requireLength } from "./crypto.js";
import { nativeCrypto } from "./native.node.js";
import { sodiumHashes } from "./sodiumHashes.node.js";

/**
 * The part of sodium-native that is used; the package has no types of its own. It is what sodium-native itself calls, without its
 * checks of types and lengths: they take half a microsecond of the two that a packet costs. Lengths are checked here.
 * Results below zero: not done.
 */
interface Binding {
  crypto_hash_sha256(digest: Uint8Array, message: Uint8Array): number;
  crypto_scalarmult_base(publicKey: Uint8Array, secret: Uint8Array): number;
  /** Below zero for a low-order point. */
  crypto_scalarmult(shared: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): number;
  crypto_aead_chacha20poly1305_ietf_encrypt(
    ciphertext: Uint8Array,
    message: Uint8Array,
    aad: Uint8Array | undefined,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  crypto_aead_chacha20poly1305_ietf_decrypt(
    message: Uint8Array,
    ciphertext: Uint8Array,
    aad: Uint8Array | undefined,
    nonce: Uint8Array,
    key: Uint8Array,
  ): number;
  crypto_stream_chacha20_ietf_xor_ic(
    ciphertext: Uint8Array,
    message: Uint8Array,
    nonce: Uint8Array,
    counter: number,
    key: Uint8Array,
  ): number;
}

/**
 * node:crypto with libsodium's AEAD, X25519, short SHA-256 and HMAC, or undefined where the optional package is not installed or
 * has no build for this machine. A call costs a quarter of node:crypto's for small and Ethernet-sized packets, half for X25519
 * (keys need no import) and HMAC, and leaves nothing for the garbage collector. A whole connect needs nothing of OpenSSL, whose
 * code would have to come from memory each time.
 */
export function loadSodiumCrypto(): Crypto | undefined {
  try {
    const binding = createRequire(import.meta.url)("sodium-native/binding.js") as Binding;
    const crypto: Crypto = {
      ...nativeCrypto,
      name: "sodium",
      ...sodiumX25519(binding),
      ...sodiumHashes((digest, message) => binding.crypto_hash_sha256(digest, message)),
      aead: (key) => sodiumAead(binding, key),
      headerMask: (key) => sodiumHeaderMask(binding, key),
    };
    return agreesWithNative(crypto) ? crypto : undefined;
  } catch {
    return undefined;
  }
}

function sodiumX25519(binding: Binding): Pick<Crypto, "x25519KeyPair" | "x25519"> {
  return {
    x25519KeyPair(secret) {
      requireLength("x25519 secret key", secret, 32);
      const publicKey = new Uint8Array(32);
      binding.crypto_scalarmult_base(publicKey, secret);
      return { secret, public: publicKey };
    },
    x25519(own, peerPublic) {
      requireLength("x25519 secret key", own.secret, 32);
      requireLength("x25519 public key", peerPublic, 32);
      const shared = new Uint8Array(32);
      return binding.crypto_scalarmult(shared, own.secret, peerPublic) < 0 ? undefined : shared;
    },
  };
}

/** Uses the caller's key bytes and keeps no copy: when they are overwritten, the key is gone. */
function sodiumAead(binding: Binding, key: Uint8Array): Aead {
  requireLength("aead key", key, 32);
  const { crypto_aead_chacha20poly1305_ietf_encrypt: encrypt, crypto_aead_chacha20poly1305_ietf_decrypt: decrypt } =
    binding;
  return checkedAead({
    seal(nonce, aad, plaintext, sealed) {
      encrypt(sealed, plaintext, orNothing(aad), nonce, key);
    },
    open: (nonce, aad, ciphertext, plaintext) => decrypt(plaintext, ciphertext, orNothing(aad), nonce, key) >= 0,
  });
}

const ZEROS = new Uint8Array(5);
/** Scratch of the header masks of all connections: nothing in it outlives a call. */
const MASK_NONCE = new Uint8Array(12);

/** As fast as noble's once that is compiled, and twenty times as fast before. */
function sodiumHeaderMask(binding: Binding, key: Uint8Array): HeaderMask {
  requireLength("header protection key", key, 32);
  const own = key.slice();
  const { crypto_stream_chacha20_ietf_xor_ic: xor } = binding;
  return (bytes, mask, offset = 0) => {
    let counter = 0;
    for (let i = 3; i >= 0; i--) counter = counter * 256 + (bytes[offset + i] ?? 0);
    for (let i = 0; i < MASK_NONCE.length; i++) MASK_NONCE[i] = bytes[offset + 4 + i] ?? 0;
    requireLength("mask", mask, ZEROS.length);
    xor(mask, ZEROS, MASK_NONCE, counter, own);
  };
}

function orNothing(aad: Uint8Array): Uint8Array | undefined {
  return aad.length === 0 ? undefined : aad;
}
