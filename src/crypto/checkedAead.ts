import { type Aead, requireLength } from "./crypto.js";

const TAG = 16;
const NONCE = 12;

/** An AEAD of a library that writes where it is told and checks no lengths: `sealed` is the plaintext's length and 16 bytes more. */
export interface UncheckedAead {
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, sealed: Uint8Array): void;
  /** False when the tag does not fit. */
  open(nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array, plaintext: Uint8Array): boolean;
}

/** The same behind the port: no library sees a length that is not right. */
export function checkedAead(unchecked: UncheckedAead): Aead {
  return {
    seal(nonce, aad, plaintext, out, outOffset) {
      requireLength("nonce", nonce, NONCE);
      const sealed = out.subarray(outOffset, outOffset + plaintext.length + TAG);
      requireLength("room for the ciphertext", sealed, plaintext.length + TAG);
      unchecked.seal(nonce, aad, plaintext, sealed);
    },
    open(nonce, aad, ciphertext, out) {
      requireLength("nonce", nonce, NONCE);
      const length = ciphertext.length - TAG;
      if (length < 0) return undefined;
      const plaintext = out?.length === length ? out : (out?.subarray(0, length) ?? new Uint8Array(length));
      requireLength("room for the plaintext", plaintext, length);
      return unchecked.open(nonce, aad, ciphertext, plaintext) ? plaintext : undefined;
    },
  };
}
