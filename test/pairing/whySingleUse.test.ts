import assert from "node:assert/strict";
import { type Cipher, createCipheriv, createDecipheriv, type Decipher } from "node:crypto";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import { concat } from "#kernel/bytes.js";
import { decodeMessage, type Message } from "#pairing/messages.js";
import { rOf } from "#pairing/outOfBand.js";
import { passkeyLetters } from "#pairing/passkey.js";
import { f4, f6 } from "#pairing/toolbox.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { codeOf, PairingWorld } from "../support/pairing.js";
import { StagedPairing } from "../support/pairingStages.js";

// Two properties of the published functions that the design has to live with. Should one of these tests fail, a rule of PROTOCOL.md can go.

const random = new SeededRandom(1).bytes;

test("whoever listens to a pairing by letters knows them afterwards, so they are used once", () => {
  const pairing = new StagedPairing({ seed: 5, method: "code" }).runAll();
  const messages = pairing.sent.map(({ bytes }) => decodeMessage(bytes) as Message);
  const keys = messages.flatMap((message) => ("publicKey" in message ? [message.publicKey.slice(1, 33)] : []));
  const commitments = messages.flatMap((message) => (message.type === 13 ? [message.commitment] : []));
  const nonces = messages.flatMap((message) => (message.type === 4 ? [message.nonce] : []));
  const [xA, xB] = keys;
  assert.ok(xA && xB && commitments.length === 20);
  let passkey = 0;
  for (const [round, commitment] of commitments.entries()) {
    const ifOne = f4(nativeCrypto, xA, xB, nonces[round] ?? xA, 0x81);
    if (Buffer.from(ifOne).equals(commitment)) passkey |= 1 << round;
  }
  assert.equal(passkeyLetters(passkey), pairing.shown("letters"));

  const world = new PairingWorld({ seed: 6, method: { kind: "code" }, approves: () => false });
  const first = world.letters;
  assert.equal(codeOf(world.run().pc), "DIGITS_REFUSED");
  assert.notEqual(world.letters, first, "the letters that were heard are still on the screen");
});

test("whoever knows MacKey computes R back from a DHKey check, so the R of a secret hangs on both keys", () => {
  const [macKey, n1, n2] = [random(16), random(16), random(16)];
  const rest = { ioCap: Uint8Array.of(0x0d, 1, 1), a1: random(7), a2: random(7) };
  const secret = { kind: "secret", secret: random(32) } as const;
  const [publicA, publicB, evil] = [random(65), random(65), random(65)];
  const toEvil = rOf(nativeCrypto, secret, publicA, evil);
  const check = f6(nativeCrypto, { w: macKey, n1, n2, r: toEvil.rb, ...rest });
  const learned = rBehind(macKey, check, n1, n2, concat(rest.ioCap, rest.a1, rest.a2));
  assert.deepEqual(learned, toEvil.rb, "f6 cannot be undone");
  for (const [a, b] of [
    [evil, publicB],
    [publicA, publicB],
    [evil, evil],
  ] as const)
    assert.notDeepEqual(learned, rOf(nativeCrypto, secret, a, b).rb, "what one side gave away opens the other");
  assert.notDeepEqual(toEvil.ra, toEvil.rb);
});

/** CMAC from its end to the one unknown block (RFC 4493 §2.4; the message has four blocks and one byte). */
function rBehind(key: Uint8Array, mac: Uint8Array, n1: Uint8Array, n2: Uint8Array, tail: Uint8Array): Uint8Array {
  const encrypt: Cipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  const decrypt: Decipher = createDecipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  const last = new Uint8Array(16);
  last.set(tail.subarray(16));
  last[tail.length - 16] = 0x80;
  const k2 = doubled(doubled(encrypt.update(new Uint8Array(16))));
  const afterR = xor(decrypt.update(xor(xor(decrypt.update(mac), last), k2)), tail.subarray(0, 16));
  const beforeR = encrypt.update(xor(encrypt.update(n1), n2));
  return xor(decrypt.update(afterR), beforeR);
}

/** RFC 4493 §2.3. */
function doubled(block: Uint8Array): Uint8Array {
  const out = block.map((byte, i) => (byte << 1) | ((block[i + 1] ?? 0) >> 7));
  if ((block[0] ?? 0) & 0x80) out[15] = (out[15] ?? 0) ^ 0x87;
  return out;
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return new Uint8Array(a.map((byte, i) => byte ^ (b[i] ?? 0)));
}
