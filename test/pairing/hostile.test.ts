import assert from "node:assert/strict";
import { test } from "node:test";
import { type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import { PairingError } from "#pairing/reasons.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { PC, PHONE } from "../support/pairing.js";
import { STEPS, StagedPairing } from "../support/pairingStages.js";

const MESSAGES = Number(process.env["MUTATIONS"] ?? 20_000);
const STRANGER = { host: "10.0.0.66", port: 6666 };

/** Hostile datagrams: noise, and everything one can do to what is really said in pairings. */
class Hostility {
  readonly #random: SeededRandom;
  /** This pairing to its end (the same seed says the same), and one with other people. */
  readonly #said: readonly Uint8Array[];

  constructor(random: SeededRandom, seed: number) {
    this.#random = random;
    this.#said = [seed, seed + 1].flatMap((each) => new StagedPairing(each).runAll().sent.map(({ bytes }) => bytes));
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

test(`${MESSAGES} hostile datagrams in every state: no throw, no answer larger than its request, nothing piles up, all counted`, () => {
  const random = new SeededRandom(1);
  const seed = 7;
  const hostility = new Hostility(random, seed);
  let outcomes = 0;
  for (let steps = 0; steps <= STEPS.length; steps++) {
    let pairing = StagedPairing.at(steps, seed);
    for (let i = 0; i < MESSAGES / (STEPS.length + 1); i++) {
      const bytes = hostility.next();
      const changed = random.chance(0.5)
        ? hitResponder(pairing, bytes, random.chance(0.7) ? PHONE : STRANGER)
        : hitInitiator(pairing, bytes, random.chance(0.9) ? PC : STRANGER);
      pairing.now += random.integer(3);
      // What has changed is another state, which has its own turn. Sometimes go on in it, to see what two of them do.
      if (changed && random.chance(0.8)) {
        outcomes++;
        pairing = StagedPairing.at(steps, seed);
      }
    }
  }
  assert.ok(outcomes > 100);
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

/** ABORT ends something without a word; a repeated NONCE or IDENT may find the disk busy. */
function isQuiet(bytes: Uint8Array): boolean {
  return [4, 8, 12].includes(bytes[2] ?? -1);
}

function hitInitiator({ initiator, now }: StagedPairing, bytes: Uint8Array, from: typeof PC): boolean {
  const { dropped } = initiator;
  initiator.receive(bytes, from, now);
  let sent = 0;
  for (let out = initiator.nextDatagram(now); out; out = initiator.nextDatagram(now)) {
    sent++;
    assert.deepEqual(out.to, PC);
    assert.ok(out.bytes.length <= 361);
  }
  assert.ok(sent <= 2, `one datagram made it send ${sent}`);
  const counted = initiator.dropped - dropped;
  assert.ok(counted <= 1);
  return counted === 0;
}

function total(drops: object): number {
  return Object.values(drops).reduce((sum: number, each: number) => sum + each, 0);
}

test("every single bit of START and of OFFER flipped in flight: no run ends in a bond", () => {
  const lengths = { START: 0, OFFER: 0 };
  for (const { bytes } of new StagedPairing(3).runAll().sent) {
    if (bytes[2] === 2) lengths.START = bytes.length;
    if (bytes[2] === 3) lengths.OFFER = bytes.length;
  }
  for (const [type, length] of [
    [2, lengths.START],
    [3, lengths.OFFER],
  ] as const) {
    assert.ok(length > 100);
    for (let bit = 0; bit < 8 * length; bit++) {
      const pairing = new StagedPairing(3);
      pairing.change = (bytes) => {
        if (bytes[2] === type) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        return bytes;
      };
      pairing.runAll();
      const { initiator, responder } = pairing.bonds;
      assert.ok(!initiator && !responder, `bit ${bit} of type ${type} ended in a bond`);
    }
  }
});

test("without a change the same steps end in a bond on both sides", () => {
  const { initiator, responder } = new StagedPairing(3).runAll().bonds;
  assert.ok(initiator && responder);
  assert.deepEqual(initiator.psk, responder.psk);
});
