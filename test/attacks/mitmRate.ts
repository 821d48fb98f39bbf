import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Address } from "#kernel/ports.js";
import { PairingInitiator } from "#pairing/initiator.js";
import { PairingResponder } from "#pairing/responder.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { PC } from "../support/pairing.js";
import { EVE } from "./attacker.js";
import { ImpostorInitiator, ImpostorResponder } from "./impostors.js";

/** How often the digits of an active man in the middle began with the same 1, 2, … 6 digits on both screens. */
export interface MitmRate {
  readonly pairings: number;
  readonly equalPrefixes: readonly number[];
}

/**
 * Real machines on both ends, real f4 and g2; only the curve is replaced by hashes, since the digits see no more of a key than its
 * x. The attacker has keys of its own towards each side and reveals what it committed to: it has no better choice left (row 6).
 */
export function mitmRate(pairings: number, seed: number): MitmRate {
  const random = new SeededRandom(seed);
  const equal = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < pairings; i++) {
    const [phone, pc] = [phoneDigits(random), pcDigits(random)];
    for (let length = 1; length <= 6 && phone.slice(0, length) === pc.slice(0, length); length++)
      equal[length - 1] = (equal[length - 1] ?? 0) + 1;
  }
  return { pairings, equalPrefixes: equal };
}

const { sha256 } = nativeCrypto;
const hashedCurve: Crypto = {
  ...nativeCrypto,
  p256KeyPair: (secret) => ({ secret, public: Uint8Array.of(4, ...sha256(secret), ...sha256(secret)) }),
  p256IsValidPoint: (point) => point.length === 65,
  p256SharedSecret: (own, peer) => sha256(own.secret, peer),
};
const identity = {
  ...{ staticPublic: new Uint8Array(32).fill(1), irk: new Uint8Array(16), name: "Ana's device" },
  ...{ platform: "test", appId: "handfast" },
};

function phoneDigits(random: SeededRandom): string {
  const initiator = new PairingInitiator({ crypto: hashedCurve, random: random.bytes, identity, to: PC, now: 1 });
  const eve = new ImpostorResponder({
    ...{ crypto: hashedCurve, random: random.bytes, staticPublic: identity.staticPublic },
    send: (bytes) => initiator.receive(bytes, PC, 1),
  });
  return talk(initiator, eve, () => {
    const event = initiator.nextEvent();
    return event?.type === "digits" ? event.digits : undefined;
  });
}

function pcDigits(random: SeededRandom): string {
  const attempts = { failures: 0, windows: 0 };
  const responder = new PairingResponder({ crypto: hashedCurve, random: random.bytes, identity, attempts });
  responder.openWindow({}, 1);
  const from: Address = EVE;
  const eve = new ImpostorInitiator({
    ...{ crypto: hashedCurve, random: random.bytes, staticPublic: identity.staticPublic },
    send: (bytes) => responder.receive(bytes, from, 1),
  });
  eve.onReveal = () => {};
  eve.hello();
  return talk(responder, eve, () => {
    const event = responder.nextEvent();
    if (event?.type === "persistAttempts" && event.id !== undefined) responder.attemptsPersisted(event.id, 1);
    return event?.type === "digits" ? event.digits : undefined;
  });
}

/** Carries what the machine says to the attacker until the machine shows digits. */
function talk(
  machine: Pick<PairingInitiator, "nextDatagram">,
  eve: { receive(bytes: Uint8Array): void },
  digits: () => string | undefined,
): string {
  for (let step = 0; step < 50; step++) {
    for (let out = machine.nextDatagram(1); out; out = machine.nextDatagram(1)) eve.receive(out.bytes);
    const shown = digits();
    if (shown !== undefined) return shown;
  }
  throw new Error("the machine showed no digits");
}

/** Fails when a count is further from its expectation than chance allows (five standard deviations, at least one). */
export function checkRate({ pairings, equalPrefixes }: MitmRate): string | undefined {
  for (const [i, count] of equalPrefixes.entries()) {
    const probability = 10 ** -(i + 1);
    const expected = pairings * probability;
    const allowed = Math.max(2, 5 * Math.sqrt(expected * (1 - probability)));
    if (Math.abs(count - expected) > allowed)
      return `${count} of ${pairings} agree in ${i + 1} digits, not ${expected}`;
  }
  return undefined;
}
