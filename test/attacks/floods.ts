import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import type { RandomSource } from "#kernel/ports.js";
import { encodeMessage, startPadding, TYPE } from "#pairing/messages.js";
import { PairingResponder } from "#pairing/responder.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { PC, PHONE } from "../support/pairing.js";
import { EVE } from "./attacker.js";
import { features, NO_HINT, SEQ } from "./impostors.js";
import { endOf, Stage } from "./stage.js";

export interface FloodResult {
  readonly requests: number;
  readonly answers: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly curveOperations: number;
  /** Drawn by the PC while it was flooded, apart from the cookie key of each minute. */
  readonly randomBytes: number;
}

/** HELLOs from `count` invented addresses to a PC whose window is open. */
export function floodOfHellos(count: number): FloodResult {
  let curveOperations = 0;
  let randomBytes = 0;
  const counted = <A extends unknown[], R>(operation: (...all: A) => R): ((...all: A) => R) => {
    return (...all) => {
      curveOperations++;
      return operation(...all);
    };
  };
  const crypto: Crypto = {
    ...nativeCrypto,
    p256KeyPair: counted(nativeCrypto.p256KeyPair),
    p256SharedSecret: counted(nativeCrypto.p256SharedSecret),
    p256IsValidPoint: counted(nativeCrypto.p256IsValidPoint),
    x25519: counted(nativeCrypto.x25519),
    x25519KeyPair: counted(nativeCrypto.x25519KeyPair),
  };
  const seeded = new SeededRandom(26);
  const random: RandomSource = (length) => {
    randomBytes += length;
    return seeded.bytes(length);
  };
  const identity = {
    ...{ staticPublic: new Uint8Array(32), irk: new Uint8Array(16), name: "PC", platform: "test" },
    appId: "handfast",
  };
  const responder = new PairingResponder({ crypto, random, identity, attempts: { failures: 0, windows: 0 } });
  responder.openWindow({}, 1);
  while (responder.nextEvent());
  const hello = (i: number): Uint8Array => {
    const [pid, bodyHash] = [seeded.bytes(8), new Uint8Array(32).fill(i)];
    return encodeMessage({ type: TYPE.HELLO, pid, seq: SEQ.hello, bodyHash, padding: new Uint8Array(40) });
  };
  responder.receive(hello(0), EVE, 1);
  while (responder.nextDatagram());
  curveOperations = 0;
  randomBytes = 0;
  let [answers, bytesIn, bytesOut] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const bytes = hello(i);
    bytesIn += bytes.length;
    responder.receive(bytes, { host: `10.${i & 255}.${(i >> 8) & 255}.${i >> 16}`, port: 1 + (i % 60_000) }, 1);
    for (let out = responder.nextDatagram(); out; out = responder.nextDatagram()) {
      answers++;
      bytesOut += out.bytes.length;
    }
  }
  return { requests: count, answers, bytesIn, bytesOut, curveOperations, randomBytes };
}

const claimed = features("x");
const start = {
  ...{ type: TYPE.START, seq: SEQ.start, features: claimed, hint: NO_HINT },
  padding: startPadding(claimed, NO_HINT),
} as const;

/** One hostile datagram of every kind that needs no view of the wire. */
function hostile(random: SeededRandom, i: number): Uint8Array {
  const [pid, block] = [random.bytes(8), random.bytes(16)];
  const publicKey = random.bytes(65);
  switch (i % 6) {
    case 0:
      return encodeMessage({ type: TYPE.HELLO, pid, seq: 0, bodyHash: random.bytes(32), padding: new Uint8Array(40) });
    case 1:
      return encodeMessage({ ...start, pid, cookie: block, publicKey });
    case 2:
      return encodeMessage({ type: TYPE.NONCE, pid, seq: 2, nonce: block });
    case 3:
      return encodeMessage({ type: TYPE.ABORT, pid, seq: 3, reason: 8, retryAfter: 0 });
    case 4:
      return encodeMessage({ type: TYPE.OFFER, pid, seq: 1, features: features("x"), publicKey, commitment: block });
    default:
      return Uint8Array.of(0x80 | random.integer(0x40), ...random.bytes(random.integer(200)));
  }
}

/** An honest pairing while `rate` hostile datagrams a second reach both sides. Times are virtual milliseconds. */
export function honestUnderFire(seed: number, rate: number): { ended: string; after: number } {
  const stage = new Stage({ seed });
  const random = new SeededRandom(seed + 99);
  const { clock } = stage.world;
  let fired = 0;
  const fire = (): void => {
    const spoofed = { host: `10.9.${random.integer(256)}.${random.integer(256)}`, port: 1 + random.integer(60_000) };
    stage.wire.inject(hostile(random, fired++), spoofed, PC);
    stage.wire.inject(hostile(random, fired++), PC, PHONE);
    clock.schedule(2000 / rate, fire);
  };
  fire();
  const began = clock.now();
  const phone = stage.world.start();
  stage.waitFor(() => phone.outcome !== undefined, 60_000);
  return { ended: endOf(phone), after: clock.now() - began };
}

/** The attacker takes the slot first and says nothing more; the honest client tries every second. */
export function slotHolder(seed: number): { ended: string; after: number } {
  // The person at the PC sees digits that nobody shows them on a phone: "not this one".
  const stage = new Stage({
    seed,
    pcSays: (own, other) => (other === undefined ? (seed % 2 ? false : undefined) : own === other),
  });
  const { clock } = stage.world;
  const eve = stage.asClient({ name: "Ana's phone" });
  eve.onReveal = () => {};
  eve.hello();
  stage.wait(50);
  const began = clock.now();
  for (let port = PHONE.port; ; port++) {
    const phone = stage.world.start({ ...PHONE, port });
    stage.waitFor(() => phone.outcome !== undefined, 60_000);
    const after = clock.now() - began;
    if (endOf(phone) !== "PAIRING_BUSY" || after > 60_000) return { ended: endOf(phone), after };
    stage.wait(1000);
  }
}
