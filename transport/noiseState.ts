import type { Crypto } from "#crypto/crypto.js";
import { hkdfExpand, hkdfExtract } from "#crypto/hkdf.js";

const EMPTY = new Uint8Array(0);
const TAG = 16;
const SECOND = Uint8Array.of(2);

/** What both ends hold after the last message: 32 bytes each. */
export interface NoiseResult {
  readonly initiatorKey: Uint8Array;
  readonly responderKey: Uint8Array;
  /** Third output of the last HKDF: for rekeying and for applications, never for packets. */
  readonly exporter: Uint8Array;
  readonly handshakeHash: Uint8Array;
}

/** Noise Protocol Framework rev. 34 §5.2, the SymmetricState, over ChaChaPoly and SHA256. */
export class SymmetricState {
  readonly #crypto: Crypto;
  #chainingKey: Uint8Array;
  #hash: Uint8Array;
  /** Makes the cipher key. Half of them are replaced before anything is encrypted under them, and never made. */
  #key: (() => Uint8Array) | undefined;
  #nonce = 0;

  /** `start`: the name of the protocol, hashed when it is longer than 32 bytes (§5.2). */
  constructor(crypto: Crypto, start: Uint8Array) {
    this.#crypto = crypto;
    this.#hash = start;
    this.#chainingKey = start;
  }

  get handshakeHash(): Uint8Array {
    return this.#hash;
  }

  /** An independent copy: what is mixed into one does not change the other. */
  clone(): SymmetricState {
    const copy = new SymmetricState(this.#crypto, this.#hash);
    copy.#chainingKey = this.#chainingKey;
    copy.#key = this.#key;
    copy.#nonce = this.#nonce;
    return copy;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = this.#crypto.sha256(this.#hash, data);
  }

  mixKey(input: Uint8Array): void {
    const pseudorandomKey = hkdfExtract(this.#crypto, this.#chainingKey, input);
    const first = hkdfExpand(this.#crypto, pseudorandomKey, EMPTY, 32);
    this.#chainingKey = first;
    // The second block of the same expansion: RFC 5869 §2.3.
    this.#setKey(() => this.#crypto.hmacSha256(pseudorandomKey, first, SECOND));
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, hash, key] = this.#hkdf(input);
    this.#chainingKey = chainingKey;
    this.mixHash(hash);
    this.#setKey(() => key);
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    if (!this.#key) throw new Error("noise: no key yet");
    const out = new Uint8Array(plaintext.length + TAG);
    this.#crypto.aead(this.#key()).seal(this.#nextNonce(), this.#hash, plaintext, out, 0);
    this.mixHash(out);
    return out;
  }

  /** Undefined when the message is not authentic; the state is then spoilt and must be dropped. */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array | undefined {
    if (!this.#key || ciphertext.length < TAG) return undefined;
    const plaintext = this.#crypto.aead(this.#key()).open(this.#nextNonce(), this.#hash, ciphertext);
    if (plaintext) this.mixHash(ciphertext);
    return plaintext;
  }

  /** §5.2 Split(), with a third output for the exporter. */
  split(): NoiseResult {
    const [initiatorKey, responderKey, exporter] = this.#hkdf(EMPTY);
    return { initiatorKey, responderKey, exporter, handshakeHash: this.#hash };
  }

  #setKey(key: () => Uint8Array): void {
    this.#key = key;
    this.#nonce = 0;
  }

  /** §4.3: HKDF with an empty info, so its outputs are 32-byte slices of one expansion. */
  #hkdf(input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
    const pseudorandomKey = hkdfExtract(this.#crypto, this.#chainingKey, input);
    const bytes = hkdfExpand(this.#crypto, pseudorandomKey, EMPTY, 96);
    return [bytes.slice(0, 32), bytes.slice(32, 64), bytes.slice(64, 96)];
  }

  /** §12: 32 zero bits and a little-endian counter. */
  #nextNonce(): Uint8Array {
    const nonce = new Uint8Array(12);
    nonce[4] = this.#nonce++;
    return nonce;
  }
}
