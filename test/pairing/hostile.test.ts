import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import type { MethodKind } from "#pairing/invitation.js";
import { PairingError } from "#pairing/reasons.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { PC, PHONE } from "../support/pairing.js";
import { STEPS, StagedPairing } from "../support/pairingStages.js";

const MESSAGES = Number(process.env["MUTATIONS"] ?? 20_000);
const EVERY_BIT = process.env["EVERY_BIT"] !== undefined;
const STRANGER = { host: "10.0.0.66", port: 6666 };

/** Hostile datagrams: noise, and everything one can do to what is really said in pairings. */
class Hostility {
  readonly #random: SeededRandom;
  /** This pairing to its end (the same seed says the same), and one with other people. */
  readonly #said: readonly Uint8Array[];

  constructor(random: SeededRandom, seed: number, method: MethodKind) {
    this.#random = random;
    this.#said = [seed, seed + 1].flatMap((each) =>
      new StagedPairing({ seed: each, method }).runAll().sent.map(({ bytes }) => bytes),
    );
  }

  next(): Uint8Array {
    const random = this.#random;
    const base = this.#said[random.integer(this.#said.length)] ?? new Uint8Array();
    switch (random.integer(9)) {
      case 0:
        return random.bytes(random.integer(120));
      case 1:
        return Uint8Array.from([0x80 + random.integer(0x1c), ...random.bytes(random.integer(60))]);
      case 2:
        return base.slice(0, random.integer(base.length));
      case 3:
        return Uint8Array.from([...base, ...random.bytes(1 + random.integer(1500))]);
      case 4:
        return this.#flipped(base);
      case 5:
        return new Uint8Array(random.integer(1200)).fill(random.chance(0.5) ? 0x81 : 0xa1);
      case 6:
        return this.#retyped(base);
      case 7:
        return this.#renumbered(base);
      default:
        return base;
    }
  }

  #flipped(base: Uint8Array): Uint8Array {
    const bytes = base.slice();
    const at = this.#random.integer(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#random.integer(8));
    return bytes;
  }

  /** One field becomes something of another kind. */
  #retyped(base: Uint8Array): Uint8Array {
    const array = [...(decodeCbor(base) as CborValue[])];
    const random = this.#random;
    const kinds: CborValue[] = [-1, 2 ** 40, "text", true, null, [[]], new Map([[1, 2]]), new Uint8Array(40)];
    array[random.integer(array.length)] = kinds[random.integer(kinds.length)] ?? 0;
    return encodeCbor(array);
  }

  /** Another type, or another step. */
  #renumbered(base: Uint8Array): Uint8Array {
    const array = [...(decodeCbor(base) as CborValue[])];
    if (this.#random.chance(0.5)) array[1] = this.#random.integer(16);
    else array[3] = this.#random.integer(8);
    return encodeCbor(array);
  }
}

const METHODS = ["compare", "code", "link", "secret"] as const;

test(`${MESSAGES} hostile datagrams in every state: no throw, no answer larger than its request, nothing piles up, all counted`, () => {
  const random = new SeededRandom(1);
  const seed = 7;
  let fresh = 0;
  for (const method of METHODS) {
    const hostility = new Hostility(random, seed, method);
    // Of the twenty equal rounds of letters three are enough.
    const stages = [...STEPS[method].keys(), STEPS[method].length].filter((at) => at < 16 || at > 80);
    for (const at of stages) {
      let pairing = StagedPairing.at(at, { seed, method });
      for (let i = 0; i < MESSAGES / METHODS.length / stages.length; i++) {
        const bytes = hostility.next();
        const changed = random.chance(0.5)
          ? hitResponder(pairing, bytes, random.chance(0.7) ? PHONE : STRANGER)
          : hitInitiator(pairing, bytes, random.chance(0.9) ? PC : STRANGER);
        pairing.now += random.integer(3);
        // What has changed is another state, which has its own turn. Sometimes go on in it, to see what two of them do.
        if (changed && random.chance(0.8)) {
          fresh++;
          pairing = StagedPairing.at(at, { seed, method });
        }
      }
    }
  }
  assert.ok(fresh > 100);
});

function hitResponder({ responder, ...pairing }: StagedPairing, bytes: Uint8Array, from: typeof PHONE): boolean {
  const before = total(responder.drops);
  const now = pairing.now;
  responder.receive(bytes, from, now);
  let answered = 0;
  for (let out = responder.nextDatagram(); out; out = responder.nextDatagram()) {
    answered += out.bytes.length;
    assert.deepEqual(out.to, from);
  }
  let events = 0;
  for (let event = responder.nextEvent(); event; event = responder.nextEvent()) {
    events++;
    if (event.type === "failed") assert.ok(event.error instanceof PairingError);
  }
  assert.ok(answered <= bytes.length, `${bytes.length} bytes made it answer ${answered}`);
  assert.ok(responder.remembered <= 128);
  const counted = total(responder.drops) - before;
  assert.ok(counted <= 1);
  assert.ok(counted + answered + events > 0 || isQuiet(bytes), "neither answered, nor acted on, nor counted");
  return answered + events > 0;
}

/** ABORT ends something without a word; a repeated NONCE, COMMIT or IDENT may find the disk busy. */
function isQuiet(bytes: Uint8Array): boolean {
  return [4, 8, 12, 13].includes(bytes[2] ?? -1);
}

function hitInitiator({ initiator, now }: StagedPairing, bytes: Uint8Array, from: typeof PC): boolean {
  const { dropped } = initiator;
  initiator.receive(bytes, from, now);
  let sent = 0;
  for (let out = initiator.nextDatagram(now); out; out = initiator.nextDatagram(now)) {
    sent++;
    assert.deepEqual(out.to, PC);
    assert.ok(out.bytes.length <= 366);
  }
  assert.ok(sent <= 2, `one datagram made it send ${sent}`);
  const counted = initiator.dropped - dropped;
  assert.ok(counted <= 1);
  return counted === 0;
}

function total(drops: object): number {
  return Object.values(drops).reduce((sum: number, each: number) => sum + each, 0);
}

/** Every bit where digits are compared; what protects the others is the same code. */
const STRIDE = EVERY_BIT ? { compare: 1, code: 1, link: 1, secret: 1 } : { compare: 1, code: 61, link: 23, secret: 29 };

test("every single bit of START and of OFFER flipped in flight: no run ends in a bond", () => {
  for (const method of METHODS) {
    const whole = new StagedPairing({ seed: 3, method }).runAll();
    for (const type of [2, 3]) {
      const original = whole.sent.find(({ bytes }) => bytes[2] === type)?.bytes ?? new Uint8Array();
      // Padding is zero or the datagram is dropped: a few of its bits are enough.
      const meant = original.findLastIndex((byte) => byte !== 0) + 4;
      for (let bit = 0; bit < 8 * Math.min(meant, original.length); bit += STRIDE[method]) {
        const pairing = new StagedPairing({ seed: 3, method });
        pairing.change = (bytes) => {
          if (bytes[2] === type) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          return bytes;
        };
        pairing.runAll();
        const { initiator, responder } = pairing.bonds;
        assert.ok(!initiator && !responder, `${method}: bit ${bit} of type ${type} ended in a bond`);
      }
    }
  }
});

test("without a change the same steps end in a bond on both sides", () => {
  for (const method of METHODS)
    for (const crypto of [nativeCrypto, nobleCrypto]) {
      const { initiator, responder } = new StagedPairing({ seed: 3, method, crypto }).runAll().bonds;
      assert.ok(initiator && responder, method);
      assert.deepEqual(initiator.psk, responder.psk);
    }
});
