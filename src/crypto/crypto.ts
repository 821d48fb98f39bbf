/** An X25519 or P-256 key pair. Secrets are 32 bytes; publics 32 (X25519) or 65 bytes (P-256, uncompressed, 0x04 first). */
export interface KeyPair {
  readonly secret: Uint8Array;
  readonly public: Uint8Array;
}

/** ChaCha20-Poly1305 (RFC 8439) under one key. Nonces are 12 bytes; the tag is the last 16 bytes of the ciphertext. */
export interface Aead {
  /** Writes ciphertext and tag to `out` at `outOffset` (plaintext.length + 16 bytes). `plaintext` may be the same place in `out`. */
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array, outOffset: number): void;
  /**
   * The plaintext, or undefined when the tag does not fit. A new array, or `out` (plaintext.length bytes) where the back end can
   * write there; `out` may be the first bytes of `ciphertext`, and is spoiled when the tag does not fit.
   */
  open(nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array, out?: Uint8Array): Uint8Array | undefined;
}

/** The first 5 bytes of a ChaCha20 block, RFC 9001 §5.4.4: counter and nonce are the 16-byte sample at `offset` of `bytes` (0). */
export type HeaderMask = (bytes: Uint8Array, mask: Uint8Array, offset?: number) => void;

/** ML-KEM-768 (FIPS 203). */
export interface MlKem768 {
  /** `seed`: 64 random bytes. Public 1184 bytes, secret 2400. */
  keyPair(seed: Uint8Array): KeyPair;
  /** `randomness`: 32 random bytes. Ciphertext 1088 bytes, shared secret 32. Undefined when the key is refused. */
  encapsulate(
    peerPublic: Uint8Array,
    randomness: Uint8Array,
  ): { readonly ciphertext: Uint8Array; readonly shared: Uint8Array } | undefined;
  /** A ciphertext of the right length always gives 32 bytes, the sender's only when it is authentic. */
  decapsulate(secret: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined;
}

/**
 * Every primitive Handfast uses. Back ends give the same bytes and are interchangeable; no primitive is written by us, only HMAC
 * around one library's SHA-256.
 * Arguments of a wrong length are our bug and throw RangeError. Keys and points of a peer are answered with undefined when refused.
 */
export interface Crypto {
  readonly name: string;
  sha256(...parts: readonly Uint8Array[]): Uint8Array;
  hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  /** RFC 4493; key 16 bytes, result 16 bytes. */
  aesCmac(input: { readonly key: Uint8Array; readonly message: Uint8Array }): Uint8Array;
  aead(key: Uint8Array): Aead;
  /** draft-irtf-cfrg-xchacha: nonce 24 bytes. For cookies only. */
  xchachaSeal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  xchachaOpen(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined;
  headerMask(key: Uint8Array): HeaderMask;
  /** RFC 7748. `secret`: any 32 bytes (clamped inside). */
  x25519KeyPair(secret: Uint8Array): KeyPair;
  /** Undefined for a low-order point (all-zero result). */
  x25519(own: KeyPair, peerPublic: Uint8Array): Uint8Array | undefined;
  /** Undefined when `secret` is not in 1..n-1. */
  p256KeyPair(secret: Uint8Array): KeyPair | undefined;
  /** True only for 65 bytes, 0x04 first, on the curve. */
  p256IsValidPoint(point: Uint8Array): boolean;
  /** The 32-byte x coordinate, or undefined when `peerPublic` is not a valid point in exactly that form. */
  p256SharedSecret(own: KeyPair, peerPublic: Uint8Array): Uint8Array | undefined;
  readonly mlKem768: MlKem768;
}

export function requireLength(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${name}: expected ${length} bytes, got ${bytes.length}`);
}
