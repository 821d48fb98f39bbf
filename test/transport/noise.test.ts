import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Aead, Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { concat, fromHex, toHex } from "#kernel/bytes.js";
import { INIT_HEAD, NoiseInitiator, NoiseResponder } from "#transport/noise.js";
import type { NoiseResult } from "#transport/noiseState.js";
import { SeededRandom } from "../simulation/seededRandom.js";

interface Vector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_psks: readonly [string];
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly init_remote_static: string;
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly handshake_hash: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const published = JSON.parse(readFileSync("test/vectors/noise-vectors.json", "utf8")) as { vectors: Vector[] };
const vectors = published.vectors.filter((vector) => vector.protocol_name === "Noise_IKpsk2_25519_ChaChaPoly_SHA256");

for (const crypto of [nobleCrypto, nativeCrypto]) {
  test(`the published IKpsk2 vectors hold byte for byte (${crypto.name})`, () => {
    assert.ok(vectors.length > 0);
    for (const vector of vectors) check(crypto, vector);
  });
}

function check(crypto: Crypto, vector: Vector): void {
  const pair = (hex: string) => crypto.x25519KeyPair(fromHex(hex));
  const prologue = fromHex(vector.init_prologue);
  const psk = fromHex(vector.init_psks[0]);
  const initiator = new NoiseInitiator({
    crypto,
    prologue,
    own: pair(vector.init_static),
    ephemeral: pair(vector.init_ephemeral),
    peerStatic: fromHex(vector.init_remote_static),
  });
  const responder = new NoiseResponder({ crypto, prologue, own: pair(vector.resp_static) });
  const [first, second, ...transport] = vector.messages;
  assert.ok(first && second);

  const init = initiator.writeInit(fromHex(first.payload));
  assert.equal(toHex(init ?? new Uint8Array()), first.ciphertext);
  const claimed = responder.readStatic(fromHex(first.ciphertext).subarray(0, INIT_HEAD));
  assert.equal(toHex(claimed ?? new Uint8Array()), toHex(pair(vector.init_static).public));
  const payload = responder.readPayload(fromHex(first.ciphertext).subarray(INIT_HEAD));
  assert.equal(toHex(payload ?? new Uint8Array()), first.payload);

  const answer = responder.writeResponse(fromHex(second.payload), pair(vector.resp_ephemeral), psk);
  assert.ok(answer);
  assert.equal(toHex(answer.message), second.ciphertext);
  const read = initiator.readResponse(fromHex(second.ciphertext), psk);
  assert.ok(read);
  assert.equal(toHex(read.payload), second.payload);
  for (const result of [answer.result, read.result]) {
    assert.equal(toHex(result.handshakeHash), vector.handshake_hash);
    checkTransport(crypto, result, transport);
  }
  assert.deepEqual(answer.result.exporter, read.result.exporter);
  assert.notDeepEqual(answer.result.exporter, answer.result.initiatorKey);
}

/** Message 3 is the initiator's, 4 the responder's, and so on, each direction counting from nonce 0. */
function checkTransport(crypto: Crypto, result: NoiseResult, messages: Vector["messages"]): void {
  const keys: readonly Aead[] = [crypto.aead(result.initiatorKey), crypto.aead(result.responderKey)];
  messages.forEach(({ payload, ciphertext }, i) => {
    const nonce = new Uint8Array(12);
    nonce[4] = Math.floor(i / 2);
    const out = new Uint8Array(payload.length / 2 + 16);
    keys[i % 2]?.seal(nonce, new Uint8Array(), fromHex(payload), out, 0);
    assert.equal(toHex(out), ciphertext);
  });
}

function handshake(changes: { readonly prologue?: Uint8Array; readonly psk?: Uint8Array } = {}) {
  const crypto = nativeCrypto;
  const random = new SeededRandom(7).bytes;
  const client = crypto.x25519KeyPair(random(32));
  const server = crypto.x25519KeyPair(random(32));
  const prologue = Uint8Array.of(1, 2, 3);
  const psk = random(32);
  const ephemeral = crypto.x25519KeyPair(random(32));
  const initiator = new NoiseInitiator({ crypto, prologue, own: client, ephemeral, peerStatic: server.public });
  const responder = new NoiseResponder({ crypto, prologue: changes.prologue ?? prologue, own: server });
  const init = initiator.writeInit(Uint8Array.of(9)) ?? new Uint8Array();
  const serverPsk = changes.psk ?? psk;
  const answer = (): Uint8Array | undefined =>
    responder.writeResponse(Uint8Array.of(8), crypto.x25519KeyPair(random(32)), serverPsk)?.message;
  return { crypto, initiator, responder, init, psk, answer };
}

test("another prologue, another psk and every flipped bit are noticed", () => {
  const edited = handshake({ prologue: Uint8Array.of(1, 2, 4) });
  assert.equal(edited.responder.readStatic(edited.init.subarray(0, INIT_HEAD)), undefined);

  const stranger = handshake({ psk: new Uint8Array(32) });
  stranger.responder.readStatic(stranger.init.subarray(0, INIT_HEAD));
  assert.ok(stranger.responder.readPayload(stranger.init.subarray(INIT_HEAD)));
  const wrong = stranger.answer() ?? new Uint8Array();
  assert.equal(stranger.initiator.readResponse(wrong, stranger.psk), undefined);

  const good = handshake();
  good.responder.readStatic(good.init.subarray(0, INIT_HEAD));
  good.responder.readPayload(good.init.subarray(INIT_HEAD));
  const message = good.answer() ?? new Uint8Array();
  for (let bit = 0; bit < message.length * 8; bit++) {
    const bad = message.slice();
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    // RFC 7748 §5: the top bit of a coordinate is masked, but Noise hashes it, so it is noticed all the same.
    assert.equal(good.initiator.readResponse(bad, good.psk), undefined, `bit ${bit}`);
  }
  assert.ok(good.initiator.readResponse(message, good.psk), "a failure must not spoil the state");
});

test("low-order points are refused on both sides", () => {
  const { crypto, responder, initiator, init, psk } = handshake();
  for (const point of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`]) {
    const low = fromHex(point);
    assert.equal(responder.readStatic(concat(low, init.subarray(32, INIT_HEAD))), undefined);
    assert.equal(initiator.readResponse(concat(low, new Uint8Array(17)), psk), undefined);
    const own = crypto.x25519KeyPair(new Uint8Array(32).fill(3));
    const lost = new NoiseInitiator({ crypto, prologue: low, own, ephemeral: own, peerStatic: low });
    assert.equal(lost.writeInit(new Uint8Array()), undefined);
  }
});
