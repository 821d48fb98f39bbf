import { ml_kem768 } from "@noble/post-quantum/ml-kem.js";
import { type MlKem768, requireLength } from "./crypto.js";

const { lengths } = ml_kem768;

/** node:crypto has ML-KEM from Node 24 on only, so every back end takes this one. */
export const nobleMlKem768: MlKem768 = {
  keyPair(seed) {
    requireLength("ml-kem seed", seed, 64);
    const { publicKey, secretKey } = ml_kem768.keygen(seed);
    return { public: publicKey, secret: secretKey };
  },
  encapsulate(peerPublic, randomness) {
    requireLength("ml-kem randomness", randomness, 32);
    if (peerPublic.length !== lengths.publicKey) return undefined;
    try {
      const { cipherText, sharedSecret } = ml_kem768.encapsulate(peerPublic, randomness);
      return { ciphertext: cipherText, shared: sharedSecret };
    } catch {
      return undefined; // FIPS 203 §7.2: a coefficient that is not reduced
    }
  },
  decapsulate(secret, ciphertext) {
    return ciphertext.length === lengths.cipherText ? ml_kem768.decapsulate(ciphertext, secret) : undefined;
  },
};
