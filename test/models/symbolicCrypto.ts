import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { concat, equalConstantTime, toHex, utf8 } from "#kernel/bytes.js";

// Perfect primitives for the search: nothing leaks, nothing collides, except what an attacker of today can do:
// a point off the curve makes a known Diffie-Hellman result, and a nonce chosen last makes any digits.

const MARK = utf8("collides:");
const { sha256 } = nativeCrypto;

/** A nonce that was searched for: g2 shows `digits`, whatever the other inputs are. Only to be made by who knows them all. */
export function nonceFor(digits: string): Uint8Array {
  const nonce = new Uint8Array(16);
  nonce.set(MARK);
  nonce.set(utf8(digits), MARK.length);
  return nonce;
}

function digitsIn(nonce: Uint8Array): number | undefined {
  if (MARK.some((byte, i) => byte !== nonce[i])) return undefined;
  return Number(new TextDecoder().decode(nonce.subarray(MARK.length, MARK.length + 6)));
}

const G2_LENGTH = 80;

function yOf(x: Uint8Array): Uint8Array {
  const y = sha256(utf8("y"), x);
  y[0] = (y[0] ?? 0) & 0x7f;
  return y;
}

/** The point with the same x and the other y. */
export function mirrored(point: Uint8Array): Uint8Array {
  return point.map((byte, i) => (i === 33 ? byte ^ 0x80 : byte));
}

/** The point with the same x that is not on the curve. */
export function weakened(point: Uint8Array): Uint8Array {
  return point.map((byte, i) => (i < 33 ? byte : 0));
}

export function isWeak(point: Uint8Array): boolean {
  return point.subarray(33).every((byte) => byte === 0);
}

export const symbolicCrypto: Crypto = {
  ...nativeCrypto,
  name: "symbolic",
  hmacSha256: (key, ...parts) => sha256(utf8("hmac"), key, ...parts),
  aesCmac({ key, message }) {
    const mac = sha256(utf8("cmac"), key, message).slice(0, 16);
    const wanted = message.length === G2_LENGTH ? (digitsIn(message.subarray(64)) ?? digitsIn(key)) : undefined;
    if (wanted !== undefined) mac.set([0, wanted >>> 16, wanted >>> 8, wanted], 12);
    return mac;
  },
  aead: (key) => ({
    seal(nonce, aad, plaintext, out, at) {
      out.set(concat(plaintext, sha256(utf8("seal"), key, nonce, aad, plaintext).slice(0, 16)), at);
    },
    open(nonce, aad, ciphertext) {
      const plaintext = ciphertext.slice(0, -16);
      const tag = sha256(utf8("seal"), key, nonce, aad, plaintext).slice(0, 16);
      return equalConstantTime(tag, ciphertext.subarray(-16)) ? plaintext : undefined;
    },
  }),
  x25519KeyPair: (secret) => ({ secret, public: sha256(utf8("x25519"), secret) }),
  x25519: (own, peer) => sha256(utf8("dh"), own.secret, peer),
  p256KeyPair(secret) {
    const x = sha256(utf8("p256"), secret);
    return { secret, public: concat(Uint8Array.of(4), x, yOf(x)) };
  },
  p256IsValidPoint(point) {
    if (point.length !== 65 || point[0] !== 4) return false;
    const y = point.slice(33);
    y[0] = (y[0] ?? 0) & 0x7f;
    return equalConstantTime(y, yOf(point.slice(1, 33)));
  },
  p256SharedSecret(own, peer) {
    if (isWeak(own.public) || isWeak(peer)) return sha256(utf8("known to everybody"));
    const [a, b] = [toHex(own.public.subarray(1, 33)), toHex(peer.subarray(1, 33))].sort();
    return sha256(utf8(`dh ${a} ${b}`));
  },
};
