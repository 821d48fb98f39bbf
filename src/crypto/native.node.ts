import * as node from "node:crypto";
import { compareBytes, isAllZero } from "#kernel/bytes.js";
import { type Aead, type Crypto, type KeyPair, requireLength } from "./crypto.js";
import { nobleCrypto, p256IsValidPoint } from "./noble.js";

const TAG = 16;
const CIPHER = "chacha20-poly1305";

/**
 * node:crypto where it is faster (hashes, AEAD, curves), noble for the rest. The same bytes as noble, by cross-test.
 * Private key objects are cached per KeyPair object: importing one costs more than a Diffie-Hellman.
 */
export const nativeCrypto: Crypto = {
  ...nobleCrypto,
  name: "node",
  sha256(...parts) {
    const hash = node.createHash("sha256");
    for (const part of parts) hash.update(part);
    return bytesOf(hash.digest());
  },
  hmacSha256(key, ...parts) {
    const mac = node.createHmac("sha256", key);
    for (const part of parts) mac.update(part);
    return bytesOf(mac.digest());
  },
  aead: nativeAead,
  x25519KeyPair(secret): KeyPair {
    requireLength("x25519 secret key", secret, 32);
    const key = importX25519(secret);
    const pair = { secret, public: rawPublic(node.createPublicKey(key)) };
    x25519Keys.set(pair, key);
    return pair;
  },
  x25519(own, peerPublic) {
    requireLength("x25519 public key", peerPublic, 32);
    try {
      const publicKey = x25519PublicKey(peerPublic);
      const shared = bytesOf(node.diffieHellman({ privateKey: x25519PrivateKey(own), publicKey }));
      return isAllZero(shared) ? undefined : shared;
    } catch {
      return undefined; // OpenSSL refuses low-order points
    }
  },
  p256KeyPair(secret): KeyPair | undefined {
    requireLength("p256 secret key", secret, 32);
    const ecdh = node.createECDH("prime256v1");
    try {
      ecdh.setPrivateKey(secret);
    } catch {
      return undefined; // zero, or not below the group order
    }
    const pair = { secret, public: bytesOf(ecdh.getPublicKey()) };
    p256Keys.set(pair, ecdh);
    return pair;
  },
  p256SharedSecret(own, peerPublic) {
    // The exact form first: OpenSSL also takes compressed and hybrid points. Then OpenSSL checks the curve equation itself.
    if (peerPublic.length !== 65 || peerPublic[0] !== 4) return undefined;
    try {
      return bytesOf(p256PrivateKey(own).computeSecret(peerPublic));
    } catch {
      return undefined;
    }
  },
  p256IsValidPoint,
};

// A JWK must name a public key, but OpenSSL derives its own. Importing PKCS #8 instead takes 370 µs, this 43.
const NO_PUBLIC = Buffer.alloc(32).toString("base64url");

const x25519Keys = new WeakMap<KeyPair, node.KeyObject>();
const p256Keys = new WeakMap<KeyPair, node.ECDH>();

function x25519PrivateKey(own: KeyPair): node.KeyObject {
  const cached = x25519Keys.get(own);
  if (cached) return cached;
  const key = importX25519(own.secret);
  x25519Keys.set(own, key);
  return key;
}

/** A handshake uses each of two public keys twice, and importing one takes a quarter of a Diffie-Hellman. */
const RECENT = 2;
const recentPublicKeys: { readonly bytes: Uint8Array; readonly key: node.KeyObject }[] = [];

function x25519PublicKey(bytes: Uint8Array): node.KeyObject {
  const known = recentPublicKeys.find((recent) => compareBytes(recent.bytes, bytes) === 0);
  if (known) return known.key;
  const x = Buffer.from(bytes).toString("base64url");
  const key = node.createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" });
  recentPublicKeys.unshift({ bytes: bytes.slice(), key });
  recentPublicKeys.length = Math.min(recentPublicKeys.length, RECENT);
  return key;
}

function importX25519(secret: Uint8Array): node.KeyObject {
  const d = Buffer.from(secret).toString("base64url");
  return node.createPrivateKey({ key: { kty: "OKP", crv: "X25519", d, x: NO_PUBLIC }, format: "jwk" });
}

function p256PrivateKey(own: KeyPair): node.ECDH {
  const cached = p256Keys.get(own);
  if (cached) return cached;
  const ecdh = node.createECDH("prime256v1");
  ecdh.setPrivateKey(own.secret);
  p256Keys.set(own, ecdh);
  return ecdh;
}

function rawPublic(key: node.KeyObject): Uint8Array {
  const { x } = key.export({ format: "jwk" });
  return bytesOf(Buffer.from(x ?? "", "base64url"));
}

/** A plain Uint8Array with its own memory: Buffers from node's pool would keep 8 KiB alive and leak the Buffer type into the cores. */
function bytesOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer);
}

function nativeAead(key: Uint8Array): Aead {
  requireLength("aead key", key, 32);
  // A KeyObject made once: with raw bytes every packet would pay for the import.
  const secret = node.createSecretKey(key);
  const options = { authTagLength: TAG };
  return {
    seal(nonce, aad, plaintext, out, outOffset) {
      const cipher = node.createCipheriv(CIPHER, secret, nonce, options);
      cipher.setAAD(aad, { plaintextLength: plaintext.length });
      out.set(cipher.update(plaintext), outOffset);
      cipher.final();
      out.set(cipher.getAuthTag(), outOffset + plaintext.length);
    },
    open(nonce, aad, ciphertext) {
      const length = ciphertext.length - TAG;
      if (length < 0) return undefined;
      const decipher = node.createDecipheriv(CIPHER, secret, nonce, options);
      decipher.setAAD(aad, { plaintextLength: length });
      decipher.setAuthTag(ciphertext.subarray(length));
      const plaintext = decipher.update(ciphertext.subarray(0, length));
      try {
        decipher.final();
      } catch {
        return undefined;
      }
      return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
    },
  };
}
