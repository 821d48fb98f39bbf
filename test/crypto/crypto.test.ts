import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { loadSodiumCrypto } from "#crypto/sodium.node.js";
import { sodiumHashes } from "#crypto/sodiumHashes.node.js";
import { loadWasmCrypto } from "#crypto/wasm.node.js";
import { fromHex, toHex } from "#kernel/bytes.js";

const sodium = loadSodiumCrypto();
const wasm = await loadWasmCrypto();
const backEnds: readonly Crypto[] = [nobleCrypto, nativeCrypto, ...(sodium ? [sodium] : []), ...(wasm ? [wasm] : [])];

for (const crypto of backEnds) {
  test(`${crypto.name}: header mask of RFC 9001 A.5`, () => {
    const mask = new Uint8Array(5);
    const key = fromHex("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4");
    crypto.headerMask(key)(fromHex("5e5cd55c41f69080575d7999c25a5bfb"), mask);
    assert.equal(toHex(mask), "aefefe7d03");
  });

  test(`${crypto.name}: X25519: the public key of RFC 7748 §6.1, and both sides agree`, () => {
    const alice = crypto.x25519KeyPair(new Uint8Array(32).fill(7));
    assert.equal(alice.public.length, 32);
    const bob = crypto.x25519KeyPair(fromHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    assert.equal(toHex(bob.public), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    assert.deepEqual(crypto.x25519(alice, bob.public), crypto.x25519(bob, alice.public));
  });

  test(`${crypto.name}: X25519 goes by what a public key is at the moment, whatever came before`, () => {
    const own = crypto.x25519KeyPair(new Uint8Array(32).fill(7));
    const peers = [1, 2, 3].map((fill) => crypto.x25519KeyPair(new Uint8Array(32).fill(fill)).public);
    const buffer = new Uint8Array(32);
    for (const turn of [0, 1, 0, 2, 1, 2, 0]) {
      buffer.set(peers[turn] ?? buffer);
      assert.deepEqual(crypto.x25519(own, buffer), nobleCrypto.x25519(own, peers[turn] ?? buffer));
    }
  });

  test(`${crypto.name}: refuses low-order X25519 points and P-256 points in any other form`, () => {
    const own = crypto.x25519KeyPair(new Uint8Array(32).fill(7));
    assert.equal(crypto.x25519(own, new Uint8Array(32)), undefined);
    const pair = crypto.p256KeyPair(new Uint8Array(32).fill(9));
    assert.ok(pair);
    assert.equal(crypto.p256KeyPair(new Uint8Array(32)), undefined);
    const hybrid = Uint8Array.from(pair.public);
    hybrid[0] = 6 | ((pair.public[64] ?? 0) & 1);
    const offCurve = Uint8Array.from(pair.public);
    offCurve[64] = (offCurve[64] ?? 0) ^ 1;
    const compressed = Uint8Array.of(2 | ((pair.public[64] ?? 0) & 1), ...pair.public.subarray(1, 33));
    for (const point of [hybrid, offCurve, compressed, new Uint8Array(65), new Uint8Array(0)]) {
      assert.equal(crypto.p256IsValidPoint(point), false);
      assert.equal(crypto.p256SharedSecret(pair, point), undefined);
    }
    assert.equal(crypto.p256IsValidPoint(pair.public), true);
  });
}

for (const crypto of [sodium, wasm])
  test(`${crypto?.name}: wrong lengths are refused before libsodium sees them`, {
    skip: crypto ? false : "not installed",
  }, () => {
    const aead = crypto?.aead(new Uint8Array(32));
    const [nonce, none, text] = [new Uint8Array(12), new Uint8Array(0), new Uint8Array(50)];
    for (const [room, at] of [
      [65, 0],
      [66, 1],
    ] as const)
      assert.throws(() => aead?.seal(nonce, none, text, new Uint8Array(room), at), RangeError);
    aead?.seal(nonce, none, text, new Uint8Array(66), 0);
    for (const wrong of [11, 13]) {
      assert.throws(() => aead?.seal(new Uint8Array(wrong), none, text, new Uint8Array(66), 0), RangeError);
      assert.throws(() => aead?.open(new Uint8Array(wrong), none, new Uint8Array(66)), RangeError);
    }
    assert.throws(() => aead?.open(nonce, none, new Uint8Array(66), new Uint8Array(49)), RangeError);
  });

test("hashes by libsodium leave no key and no message in their scratch", () => {
  const seen: Uint8Array[] = [];
  const { sha256, hmacSha256 } = sodiumHashes((digest, message) => {
    seen.push(digest, message);
    digest.set(nobleCrypto.sha256(message));
  });
  const [key, text] = [new Uint8Array(64).fill(3), new Uint8Array(70).fill(5)];
  const results = [sha256(text, key), hmacSha256(key, text)].map(String);
  assert.deepEqual(results, [nobleCrypto.sha256(text, key), nobleCrypto.hmacSha256(key, text)].map(String));
  const scratch = seen.filter((bytes) => !results.includes(String(bytes)));
  assert.ok(scratch.length >= 4);
  for (const bytes of scratch) assert.ok(bytes.every((byte) => byte === 0));
});

test("sodium: a mask has five bytes", { skip: sodium ? false : "not installed" }, () => {
  assert.throws(() => sodium?.headerMask(new Uint8Array(32))(new Uint8Array(16), new Uint8Array(4)), RangeError);
});

/** Around what each back end treats in another way, too. */
const LENGTHS = [...Array.from({ length: 20 }, (_, i) => i * 97), 1260, 1280, 1281, 2047, 2048, 2049, 16_384, 61_440];

test("all back ends give the same bytes", () => {
  for (const [round, length] of LENGTHS.entries()) {
    const key = new Uint8Array(randomBytes(32));
    const nonce = new Uint8Array(randomBytes(12));
    const aad = new Uint8Array(randomBytes(round));
    const text = new Uint8Array(randomBytes(length));
    const a = new Uint8Array(text.length + 16 + 3);
    nobleCrypto.aead(key).seal(nonce, aad, text, a, 3);
    for (const crypto of backEnds) {
      const sealed = new Uint8Array(a.length);
      sealed.set(text, 3);
      crypto.aead(key).seal(nonce, aad, sealed.subarray(3, 3 + text.length), sealed, 3);
      assert.deepEqual(sealed, a, `${crypto.name}, in place`);
      const copy = a.slice(3);
      assert.deepEqual(crypto.aead(key).open(nonce, aad, copy, copy.subarray(0, text.length)), text);
      assert.deepEqual(crypto.aead(key).open(nonce, aad, a.subarray(3)), text);
      const forged = a.slice(3);
      forged[0] = (forged[0] ?? 0) ^ 1;
      assert.equal(crypto.aead(key).open(nonce, aad, forged), undefined);
      assert.equal(crypto.aead(key).open(nonce, aad, a.subarray(3, 10)), undefined);
    }
    const longKey = new Uint8Array(randomBytes(64 + (round % 2)));
    for (const { name, sha256, hmacSha256 } of backEnds) {
      assert.deepEqual(sha256(aad, text), nobleCrypto.sha256(aad, text), name);
      for (const each of [key, longKey, aad])
        assert.deepEqual(hmacSha256(each, text, aad), nobleCrypto.hmacSha256(each, text, aad), name);
    }
    assert.deepEqual(nobleCrypto.x25519KeyPair(key), nativeCrypto.x25519KeyPair(key));
    const [p, q] = [nobleCrypto.p256KeyPair(key), nativeCrypto.p256KeyPair(key)];
    assert.deepEqual(p, q);
    const other = nobleCrypto.p256KeyPair(new Uint8Array(randomBytes(32)));
    if (!p || !q || !other) continue;
    assert.deepEqual(nobleCrypto.p256SharedSecret(p, other.public), nativeCrypto.p256SharedSecret(q, other.public));
  }
});

test("the header mask is node's ChaCha20 block of the sample", () => {
  for (let round = 0; round < 50; round++) {
    const key = new Uint8Array(randomBytes(32));
    const sample = new Uint8Array(randomBytes(16));
    const mask = new Uint8Array(5);
    nobleCrypto.headerMask(key)(sample, mask);
    assert.deepEqual(mask, new Uint8Array(createCipheriv("chacha20", key, sample).update(new Uint8Array(5))));
  }
});
