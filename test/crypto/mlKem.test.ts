import assert from "node:assert/strict";
import { test } from "node:test";
import { shake128 } from "@noble/hashes/sha3.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { toHex } from "#kernel/bytes.js";

const { mlKem768 } = nobleCrypto;

// The accumulated vectors of Go's crypto/mlkem (TestAccumulated, 100 rounds): inputs from one SHAKE128, outputs into another.
test("ML-KEM-768: a hundred key pairs, encapsulations, and decapsulations of right and random ciphertexts", () => {
  const input = shake128.create({ dkLen: 1 });
  const output = shake128.create({ dkLen: 32 });
  for (let round = 0; round < 100; round++) {
    const pair = mlKem768.keyPair(input.xof(64));
    const sent = mlKem768.encapsulate(pair.public, input.xof(32));
    assert.ok(sent);
    assert.deepEqual(mlKem768.decapsulate(pair.secret, sent.ciphertext), sent.shared);
    const rejected = mlKem768.decapsulate(pair.secret, input.xof(1088));
    assert.ok(rejected);
    for (const bytes of [pair.public, sent.ciphertext, sent.shared, rejected]) output.update(bytes);
  }
  assert.equal(toHex(output.digest()), "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415");
});

test("ML-KEM-768: keys and ciphertexts of another form are refused, not thrown at", () => {
  const pair = mlKem768.keyPair(new Uint8Array(64));
  const coins = new Uint8Array(32);
  for (const length of [0, 1183, 1185, 1088])
    assert.equal(mlKem768.encapsulate(new Uint8Array(length), coins), undefined);
  assert.equal(
    mlKem768.encapsulate(new Uint8Array(1184).fill(255), coins),
    undefined,
    "coefficients above the modulus",
  );
  for (const length of [0, 1087, 1089])
    assert.equal(mlKem768.decapsulate(pair.secret, new Uint8Array(length)), undefined);
  assert.throws(() => mlKem768.keyPair(new Uint8Array(63)), RangeError);
  assert.equal(nativeCrypto.mlKem768, mlKem768);
});
