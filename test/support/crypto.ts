import type { Crypto } from "#crypto/crypto.js";

/** Counts Diffie-Hellman operations. */
export function counting(crypto: Crypto): Crypto & { readonly count: { dh: number; hmac: number; aead: number } } {
  const count = { dh: 0, hmac: 0, aead: 0 };
  return {
    ...crypto,
    count,
    x25519(own, peer) {
      count.dh++;
      return crypto.x25519(own, peer);
    },
    hmacSha256(key, ...parts) {
      count.hmac++;
      return crypto.hmacSha256(key, ...parts);
    },
    aead(key) {
      count.aead++;
      return crypto.aead(key);
    },
  };
}

/** The twin without message authentication codes: to see that the attack they stop would work. */
export function withoutMacs(crypto: Crypto): Crypto {
  return { ...crypto, hmacSha256: () => new Uint8Array(32) };
}

/** The twin that opens every packet, authentic or not. */
export function withoutTags(crypto: Crypto): Crypto {
  return {
    ...crypto,
    aead(key) {
      const aead = crypto.aead(key);
      return {
        ...aead,
        open(nonce, aad, ciphertext) {
          const out = new Uint8Array(ciphertext.length);
          aead.seal(nonce, aad, ciphertext.subarray(0, ciphertext.length - 16), out, 0);
          return out.subarray(0, ciphertext.length - 16);
        },
      };
    },
  };
}
