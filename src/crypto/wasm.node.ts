import { createRequire } from "node:module";
import { agreesWithNative } from "./agrees.node.js";
import { checkedAead } from "./checkedAead.js";
import { type Aead, type Crypto, requireLength } from "./crypto.js";
import { nativeCrypto } from "./native.node.js";

const TAG = 16;
const NONCE = 12;
const KEY = 32;
/** Up to here libsodium in WebAssembly is faster than starting node:crypto; beyond, it has no vector units to compute with. */
const MOST_PLAINTEXT = 2048;
const MOST_AAD = 1024;

/** The part of the package libsodium that is used: functions of C over addresses in `HEAPU8`; it has no types of its own. */
interface Libsodium {
  readonly ready: Promise<void>;
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  /** Ciphertext, where its length goes, message, length, AAD, length, secret nonce, nonce, key. Lengths take two numbers, addresses 0 mean none. */
  _crypto_aead_chacha20poly1305_ietf_encrypt(...addresses: readonly number[]): number;
  /** Message, where its length goes, secret nonce, ciphertext, length, AAD, length, nonce, key. Not 0: the tag does not fit. */
  _crypto_aead_chacha20poly1305_ietf_decrypt(...addresses: readonly number[]): number;
}

/**
 * node:crypto with libsodium's AEAD in WebAssembly for packets of up to 2 KiB, or undefined where the optional package is not
 * installed. For machines without a build of sodium-native: a small packet costs a sixth of node:crypto's, and leaves no garbage.
 */
export async function loadWasmCrypto(): Promise<Crypto | undefined> {
  try {
    const wasm = createRequire(import.meta.url)("libsodium") as Libsodium;
    await wasm.ready;
    const place = { key: wasm._malloc(KEY), nonce: wasm._malloc(NONCE), aad: wasm._malloc(MOST_AAD) };
    const scratch = new Scratch(wasm, { ...place, text: wasm._malloc(MOST_PLAINTEXT + TAG) });
    const crypto: Crypto = { ...nativeCrypto, name: "wasm", aead: (key) => wasmAead(scratch, key) };
    return agreesWithNative(crypto) ? crypto : undefined;
  } catch {
    return undefined;
  }
}

/** Where one call's arguments lie in the module's memory. No key stays there. */
class Scratch {
  readonly #wasm: Libsodium;
  readonly #at: { readonly key: number; readonly nonce: number; readonly aad: number; readonly text: number };

  constructor(wasm: Libsodium, at: { key: number; nonce: number; aad: number; text: number }) {
    this.#wasm = wasm;
    this.#at = at;
  }

  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): void {
    const at = this.#at;
    const { text } = at;
    const heap = this.#put(key, nonce, aad, plaintext);
    const { _crypto_aead_chacha20poly1305_ietf_encrypt: encrypt } = this.#wasm;
    encrypt(text, 0, text, plaintext.length, 0, at.aad, aad.length, 0, 0, at.nonce, at.key);
    heap.fill(0, at.key, at.key + KEY);
    out.set(heap.subarray(text, text + plaintext.length + TAG));
  }

  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array, out: Uint8Array): boolean {
    const at = this.#at;
    const { text } = at;
    const heap = this.#put(key, nonce, aad, ciphertext);
    const { _crypto_aead_chacha20poly1305_ietf_decrypt: decrypt } = this.#wasm;
    const refused = decrypt(text, 0, 0, text, ciphertext.length, 0, at.aad, aad.length, 0, at.nonce, at.key);
    heap.fill(0, at.key, at.key + KEY);
    if (refused !== 0) return false;
    out.set(heap.subarray(text, text + ciphertext.length - TAG));
    return true;
  }

  #put(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): Uint8Array {
    // Asked each time: the view is another one when the module's memory has grown.
    const heap = this.#wasm.HEAPU8;
    heap.set(key, this.#at.key);
    heap.set(nonce, this.#at.nonce);
    heap.set(aad, this.#at.aad);
    heap.set(text, this.#at.text);
    return heap;
  }
}

function wasmAead(scratch: Scratch, key: Uint8Array): Aead {
  requireLength("aead key", key, KEY);
  // Made when a packet is too large for us: a session that says little never needs it.
  let native: Aead | undefined;
  const large = (): Aead => {
    native ??= nativeCrypto.aead(key);
    return native;
  };
  const small = checkedAead({
    seal: (nonce, aad, plaintext, sealed) => scratch.seal(key, nonce, aad, plaintext, sealed),
    open: (nonce, aad, ciphertext, plaintext) => scratch.open(key, nonce, aad, ciphertext, plaintext),
  });
  const fitting = (length: number, aad: Uint8Array): Aead =>
    length > MOST_PLAINTEXT || aad.length > MOST_AAD ? large() : small;
  return {
    seal: (nonce, aad, plaintext, out, outOffset) =>
      fitting(plaintext.length, aad).seal(nonce, aad, plaintext, out, outOffset),
    open: (nonce, aad, ciphertext, out) => fitting(ciphertext.length - TAG, aad).open(nonce, aad, ciphertext, out),
  };
}
