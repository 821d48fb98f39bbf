import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { ReplayWindow } from "#kernel/replayWindow.js";
import { trafficKeys } from "#transport/keys.js";
import type { NoiseResult } from "#transport/noiseState.js";
import { DATA_HEADER, DATA_OVERHEAD, expandNumber, MIN_PACKET, PacketProtection } from "#transport/packet.js";
import { SeededRandom } from "../simulation/seededRandom.js";

const TWO_32 = 2 ** 32;

test("a packet number is restored to the one nearest to what is expected (RFC 9000 A.3)", () => {
  const cases: readonly [truncated: number, highest: number, number: number][] = [
    [0, -1, 0],
    [5, -1, 5],
    [TWO_32 - 1, -1, TWO_32 - 1],
    [0, TWO_32 - 1, TWO_32],
    [0, TWO_32 - 2, TWO_32],
    [TWO_32 - 1, TWO_32, TWO_32 - 1],
    [1, TWO_32 * 7, TWO_32 * 7 + 1],
    [TWO_32 - 1, TWO_32 * 7, TWO_32 * 7 - 1],
    // Exactly half the range ahead is still ahead, one more is behind.
    [TWO_32 / 2 + 10, TWO_32 * 3 + 9, TWO_32 * 3 + TWO_32 / 2 + 10],
    [TWO_32 / 2 + 11, TWO_32 * 3 + 9, TWO_32 * 2 + TWO_32 / 2 + 11],
    [10, TWO_32 * 3 + TWO_32 / 2 + 9, TWO_32 * 4 + 10],
    [11, TWO_32 * 3 + TWO_32 / 2 + 9, TWO_32 * 3 + 11],
    [5, 2 ** 48 - 1, 2 ** 48 + 5],
  ];
  for (const [truncated, highest, number] of cases)
    assert.equal(expandNumber(truncated, highest), number, `${truncated} after ${highest}`);
});

test("every number within reach comes back from its 32 bits", () => {
  const random = new SeededRandom(1);
  for (let i = 0; i < 10_000; i++) {
    const highest = Math.floor(random.number() * 2 ** 47);
    const number = Math.max(0, highest + Math.floor((random.number() - 0.5) * (TWO_32 - 4)));
    assert.equal(expandNumber(number % TWO_32, highest), number, `${number} after ${highest}`);
  }
});

test("the replay window accepts each number once and nothing below it", () => {
  const window = new ReplayWindow(64);
  const sequence: readonly [number: number, accepted: boolean][] = [
    [0, true],
    [0, false],
    [2, true],
    [1, true],
    [1, false],
    [64, true],
    [0, false],
    [3, true],
    [100, true],
    [36, false],
    [37, true],
    [37, false],
    [TWO_32 + 5, true],
    [TWO_32 + 4, true],
    [100, false],
    [2 ** 47, true],
    [TWO_32 + 6, false],
  ];
  for (const [number, accepted] of sequence) {
    assert.equal(window.check(number), accepted, `${number}`);
    if (accepted) window.accept(number);
  }
});

test("the replay window agrees with a set, whatever the order", () => {
  const random = new SeededRandom(2);
  const window = new ReplayWindow(1024);
  const seen = new Set<number>();
  let highest = -1;
  for (let i = 0; i < 20_000; i++) {
    const number = Math.max(0, highest + 1 + random.integer(60) - 40 - (random.chance(0.01) ? 1200 : 0));
    const fresh = !seen.has(number) && number > highest - 1024;
    assert.equal(window.check(number), fresh, `${number} after ${highest}`);
    if (!fresh) continue;
    window.accept(number);
    seen.add(number);
    highest = Math.max(highest, number);
  }
});

function noise(seed: number): NoiseResult {
  const random = new SeededRandom(seed).bytes;
  return {
    initiatorKey: random(32),
    responderKey: random(32),
    exporter: random(32),
    handshakeHash: random(32),
  };
}

function ends(crypto = nativeCrypto, peerCrypto = crypto): { a: PacketProtection; b: PacketProtection } {
  const random = new SeededRandom(3).bytes;
  const remoteCid = random(8);
  return {
    a: new PacketProtection({ keys: trafficKeys(crypto, "initiator", noise(1)), remoteCid, random }),
    b: new PacketProtection({ keys: trafficKeys(peerCrypto, "responder", noise(1)), remoteCid, random }),
  };
}

function seal(protection: PacketProtection, number: number, payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(payload.length + DATA_OVERHEAD);
  out.set(payload, DATA_HEADER);
  return out.subarray(0, protection.seal(out, 0, payload.length, number));
}

const TEXT = new Uint8Array(30).fill(0x61);

test("each back end opens what the other sealed", () => {
  const backEnds = [nobleCrypto, nativeCrypto];
  for (const one of backEnds)
    for (const other of backEnds) {
      const { a, b } = ends(one, other);
      for (const number of [0, 1, TWO_32 / 2, TWO_32 - 1, TWO_32, TWO_32 + TWO_32 / 2]) {
        const opened = b.open(seal(a, number, TEXT));
        assert.equal(opened?.packetNumber, number);
        assert.deepEqual([...(opened?.payload ?? [])], [...TEXT]);
      }
    }
});

test("neither the packet number nor the grease is visible", () => {
  const { a } = ends();
  const numbers = new Set<string>();
  const grease = new Set<number>();
  for (let number = 0; number < 200; number++) {
    const packet = seal(a, number, TEXT);
    numbers.add(String(packet.subarray(9, 13)));
    grease.add((packet[0] ?? 0) & 0x0f);
    assert.equal((packet[0] ?? 0) >> 4, 4, "form and epoch are clear");
  }
  assert.equal(numbers.size, 200);
  assert.equal(grease.size, 16);
});

test("a flipped bit anywhere is a counted drop, and the packet itself still opens", () => {
  const { a, b } = ends();
  const packet = seal(a, 0, TEXT);
  for (let bit = 0; bit < packet.length * 8; bit++) {
    const bad = packet.slice();
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(b.open(bad), undefined, `bit ${bit}`);
  }
  const { forged, epoch, short, duplicate } = b.drops;
  assert.equal(forged + epoch, packet.length * 8);
  assert.equal(epoch, 2, "the two bits of the epoch");
  assert.deepEqual([short, duplicate], [0, 0]);
  assert.ok(b.open(packet));
  assert.equal(b.open(packet), undefined);
  assert.equal(b.drops.duplicate, 1);
});

test("a packet of 44 bytes is read, one of 43 is not", () => {
  const { a, b } = ends();
  const smallest = seal(a, 0, TEXT.subarray(0, MIN_PACKET - DATA_OVERHEAD));
  assert.equal(smallest.length, 44);
  assert.ok(b.open(smallest));
  assert.equal(b.open(seal(a, 1, TEXT.subarray(0, 43 - DATA_OVERHEAD))), undefined);
  assert.equal(b.drops.short, 1);
});

test("packets of the other direction do not open: a reflection is a forgery", () => {
  const { a } = ends();
  assert.equal(a.open(seal(a, 0, TEXT)), undefined);
  assert.equal(a.drops.forged, 1);
});

test("an old epoch opens late packets, but never newer ones, and nothing after its keys are erased", () => {
  const { a, b } = ends();
  const late = seal(a, 0, TEXT);
  const after = seal(a, 9, TEXT);
  a.installNext(trafficKeys(nativeCrypto, "initiator", noise(2)));
  a.sendInNext();
  b.installNext(trafficKeys(nativeCrypto, "responder", noise(2)));
  assert.equal(b.open(seal(a, 5, TEXT))?.epoch, 1);
  b.promote();
  assert.equal(b.open(late)?.epoch, 0);
  assert.throws(() => b.open(after), { code: "KEY_UPDATE_ERROR" });
  b.erasePrevious();
  assert.equal(b.open(seal(ends().a, 1, TEXT)), undefined);
  assert.equal(b.drops.epoch, 1);
});

test("the keys of an erased epoch are overwritten", () => {
  const keys = trafficKeys(nobleCrypto, "initiator", noise(1));
  const protection = new PacketProtection({ keys, remoteCid: new Uint8Array(8), random: new SeededRandom(1).bytes });
  const before = seal(protection, 0, TEXT);
  protection.erase();
  assert.ok(keys.send.iv.every((byte) => byte === 0));
  const out = new Uint8Array(TEXT.length + 16);
  keys.send.aead.seal(new Uint8Array(12), before.subarray(0, 13), TEXT, out, 0);
  const zero = new Uint8Array(TEXT.length + 16);
  nobleCrypto.aead(new Uint8Array(32)).seal(new Uint8Array(12), before.subarray(0, 13), TEXT, zero, 0);
  assert.deepEqual(out, zero);
});

test("no packet number is used beyond 2^48", () => {
  const { a } = ends();
  assert.ok(seal(a, 2 ** 48 - 1, TEXT));
  assert.throws(() => seal(a, 2 ** 48, TEXT), { code: "AEAD_LIMIT_REACHED" });
});
