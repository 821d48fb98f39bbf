import assert from "node:assert/strict";
import { test } from "node:test";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { fromHex, toHex } from "#kernel/bytes.js";
import { TYPE } from "#pairing/messages.js";
import { REASON } from "#pairing/reasons.js";
import { NoiseInitiator, NoiseResponder } from "#transport/noise.js";
import { ChannelWorld } from "../support/channel.js";
import { endOf, Stage } from "./stage.js";

/** A back end that counts the Diffie-Hellman operations on the curve of the pairing. */
function counting(crypto: Crypto): { crypto: Crypto; dh: () => number } {
  let dh = 0;
  const p256SharedSecret: Crypto["p256SharedSecret"] = (own, peer) => {
    dh++;
    return crypto.p256SharedSecret(own, peer);
  };
  return { crypto: { ...crypto, p256SharedSecret }, dh: () => dh };
}

const G = fromHex(
  "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
);
const P = fromHex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
const edited = (edit: (point: Uint8Array) => void): Uint8Array => {
  const point = G.slice();
  edit(point);
  return point;
};
/** What is not a P-256 point in the one form that is allowed. */
const BAD_POINTS: Readonly<Record<string, Uint8Array>> = {
  "y set to zero, of order two on another curve": edited((point) => point.fill(0, 33)),
  "y changed by one bit": edited((point) => point.set([(point[64] ?? 0) ^ 1], 64)),
  "x of p": edited((point) => point.set(P, 1)),
  "x and y zero": edited((point) => point.fill(0, 1)),
  "all ones": edited((point) => point.fill(0xff, 1)),
  "hybrid form": edited((point) => point.set([7], 0)),
  "form 0": edited((point) => point.set([0], 0)),
  "compressed form": Uint8Array.of(3, ...G.subarray(1, 33)),
  "one byte short": G.slice(0, 64),
  nothing: new Uint8Array(0),
};

for (const back of [nobleCrypto, nativeCrypto])
  for (const [what, point] of Object.entries(BAD_POINTS))
    test(`row 1: invalid curve, ${what}: both sides refuse it with 0x0F before a nonce or a curve operation (${back.name})`, () => {
      // A key of another length may be no message at all: then it is dropped in silence.
      const refused = (reason: number | undefined): boolean =>
        reason === REASON.KEY_REJECTED || (reason === undefined && point.length !== 65);
      const spy = counting(back);
      const atPhone = new Stage({ seed: 1, crypto: spy.crypto });
      const pc = atPhone.asPc();
      pc.publicKey = () => point;
      const phone = atPhone.world.start();
      atPhone.wait(1000);
      assert.ok(refused(pc.abort), `${pc.abort}`);
      assert.equal(endOf(phone), pc.abort === undefined ? "nothing" : "POSSIBLE_ATTACK");
      assert.equal(pc.na, undefined, "the phone's nonce left");

      const atPc = new Stage({ seed: 2, crypto: spy.crypto });
      const client = atPc.asClient();
      client.publicKey = point;
      client.hello();
      atPc.wait(1000);
      assert.ok(refused(client.abort), `${client.abort}`);
      assert.equal(client.offer, undefined);
      assert.equal(spy.dh(), 0);
    });

const LOW_ORDER = [
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  `ec${"ff".repeat(30)}7f`,
].map(fromHex);

test("row 2: low-order X25519 points as a static key in IDENT, and as e or s of the handshake, end it", () => {
  for (const staticPublic of LOW_ORDER) {
    const stage = new Stage({ seed: 3, pcSays: () => true, phoneSays: () => true });
    const client = stage.asClient({ staticPublic });
    client.hello();
    stage.waitFor(() => client.abort !== undefined, 10_000);
    assert.equal(client.abort, REASON.DHKEY_CHECK_FAILED);
    assert.equal(stage.bonds, 0);

    const second = new Stage({ seed: 3, phoneSays: () => true });
    const pc = second.asPc({ staticPublic });
    const phone = second.world.start();
    second.waitFor(() => phone.outcome !== undefined);
    assert.equal(pc.abort, REASON.DHKEY_CHECK_FAILED);
    assert.equal(second.bonds, 0);
    for (const crypto of [nobleCrypto, nativeCrypto]) {
      const own = crypto.x25519KeyPair(new Uint8Array(32).fill(7));
      const prologue = new Uint8Array(0);
      const dial = { crypto, prologue, own, ephemeral: own, peerStatic: staticPublic };
      assert.equal(new NoiseInitiator(dial).writeInit(prologue), undefined);
      const head = new Uint8Array(80);
      head.set(staticPublic);
      assert.equal(new NoiseResponder({ crypto, prologue, own }).readStatic(head), undefined);
    }
  }
});

test("row 3: the debug key is refused on both sides with 0x0F", () => {
  const keyPair = nativeCrypto.p256KeyPair(fromHex("3f49f6d4a3c55f3874c9b3e3d2103f504aff607beb40b7995899b8a6cd3c1abd"));
  assert.ok(keyPair);
  const atPhone = new Stage({ seed: 4 });
  const pc = atPhone.asPc({ keyPair });
  const phone = atPhone.world.start();
  atPhone.wait(1000);
  assert.equal(pc.abort, REASON.KEY_REJECTED);
  assert.equal(endOf(phone), "POSSIBLE_ATTACK");
  const atPc = new Stage({ seed: 5 });
  const client = atPc.asClient({ keyPair });
  client.hello();
  atPc.wait(1000);
  assert.equal(client.abort, REASON.KEY_REJECTED);
});

test("row 4: our own key, or its mirror image, comes back: refused with 0x0F before the nonce leaves", () => {
  for (const mirrored of [false, true]) {
    const stage = new Stage({ seed: 6 });
    const pc = stage.asPc();
    pc.publicKey = ({ publicKey }) => (mirrored ? negated(publicKey) : publicKey);
    const phone = stage.world.start();
    stage.wait(1000);
    assert.equal(pc.abort, REASON.KEY_REJECTED);
    assert.equal(pc.na, undefined);
    assert.equal(endOf(phone), "POSSIBLE_ATTACK");
  }
});

test("row 5: whatever a side has sent and gets back changes nothing, or ends the attempt on both sides", () => {
  for (const type of Object.values(TYPE)) {
    if (type === TYPE.ABORT) continue; // both directions have it; row 28
    const stage = new Stage({ seed: 7 });
    stage.wire.intercept(({ bytes, from, to }) => {
      if (bytes[2] === type) stage.wire.inject(bytes, to, from);
      return undefined;
    });
    stage.world.run();
    // An answer that comes back to the PC is the same step with other bytes: 0x0A (PROTOCOL.md §5).
    const ended = endOf(stage.world.phone);
    assert.ok(ended === "done" || ended === "POSSIBLE_ATTACK", `type ${type}: ${ended}`);
    assert.equal(stage.bonds, ended === "done" ? 2 : 0);
  }
  for (const type of [TYPE.OFFER, TYPE.REVEAL, TYPE.CHECKED, TYPE.IDENTIFIED]) {
    const stage = new Stage({ seed: 7 });
    // The request comes back under the type and in the place of its answer.
    stage.wire.reflect(
      (type - 1) as 2,
      (message) => ({ ...message, type, commitment: new Uint8Array(16) }) as typeof message,
    );
    stage.world.run();
    assert.notEqual(endOf(stage.world.phone), "done", `type ${type}`);
    assert.equal(stage.bonds, 0);
  }
});

test("row 7: two attempts share neither keys nor nonces: no eight bytes repeat", () => {
  const stage = new Stage({ seed: 8, phoneSays: () => false });
  const seen = new Map<string, number>();
  for (let attempt = 0; attempt < 3; attempt++) {
    const phone = stage.world.start({ host: "10.0.0.2", port: 50_000 + attempt });
    stage.waitFor(() => phone.outcome !== undefined);
    stage.wait(2000);
    const { wire } = stage;
    const said = [...wire.messages(TYPE.START), ...wire.messages(TYPE.OFFER)].map(({ publicKey }) => publicKey);
    const nonces = [...wire.messages(TYPE.NONCE), ...wire.messages(TYPE.REVEAL)].map(({ nonce }) => nonce);
    const once = [...said, ...nonces, ...wire.messages(TYPE.OFFER).map(({ commitment }) => commitment)];
    wire.seen.length = 0;
    for (const bytes of new Set(once.map(toHex)))
      for (let at = 0; at + 16 <= bytes.length; at += 2) {
        const run = bytes.slice(at, at + 16);
        const before = seen.get(run);
        assert.ok(before === undefined || before === attempt, "eight bytes of an earlier attempt came again");
        seen.set(run, attempt);
      }
  }
});

test("row 33: secrets are used once and behind a gate: a stranger's handshake costs no curve operation", () => {
  // noble does not promise constant time, so ephemeral keys serve one attempt (row 7) and the program uses node:crypto.
  let dh = 0;
  const crypto: Crypto = {
    ...nativeCrypto,
    x25519(own, peer) {
      dh++;
      return nativeCrypto.x25519(own, peer);
    },
  };
  const world = new ChannelWorld({ seed: 9, crypto });
  for (let i = 0; i < 1000; i++) {
    const init = world.random.bytes(1200);
    init[0] = 0xc0;
    init.set([0x48, 0x46, 0, 1], 1);
    world.server.pump.receive(init, { host: "10.0.0.66", port: 1 });
  }
  assert.equal(dh, 0);
  assert.equal(world.server.endpoint.drops.mac1, 1000);
});

function negated(publicKey: Uint8Array): Uint8Array {
  const y = BigInt(`0x${toHex(publicKey.subarray(33))}`);
  const out = publicKey.slice();
  out.set(fromHex((BigInt(`0x${toHex(P)}`) - y).toString(16).padStart(64, "0")), 33);
  return out;
}
