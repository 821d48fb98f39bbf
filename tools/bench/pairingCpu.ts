import { randomBytes } from "node:crypto";
import type { Crypto } from "#crypto/crypto.js";
import type { PairingIdentity } from "#pairing/exchange.js";
import { PairingInitiator } from "#pairing/initiator.js";
import { PairingResponder } from "#pairing/responder.js";
import { measureSides, type Sides, type Timed } from "./sides.js";

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const INITIATOR = { host: "127.0.0.1", port: 1 };
const RESPONDER = { host: "127.0.0.1", port: 2 };

/** One numeric comparison, key generation included. */
export function measurePairingCpu(crypto: Crypto, rounds = 200): Sides {
  return measureSides(rounds, (timed) => onePairing(crypto, timed));
}

function onePairing(crypto: Crypto, timed: Timed): void {
  const [mine, theirs] = [identity(crypto, "initiator"), identity(crypto, "responder")];
  const attempts = { failures: 0, windows: 0 };
  const responder = new PairingResponder({ crypto, random, identity: theirs, attempts });
  timed("server", () => responder.openWindow({}, 0));
  const initiator = timed(
    "client",
    () => new PairingInitiator({ crypto, random, identity: mine, to: RESPONDER, now: 0 }),
  );
  let done = false;
  while (!done) {
    for (let out = initiator.nextDatagram(0); out; out = initiator.nextDatagram(0)) {
      const { bytes } = out;
      timed("server", () => responder.receive(bytes, INITIATOR, 0));
    }
    for (let event = responder.nextEvent(); event; event = responder.nextEvent()) {
      const told = event;
      timed("server", () => {
        if (told.type === "persistAttempts" && told.id !== undefined) responder.attemptsPersisted(told.id, 0);
        if (told.type === "digits") responder.confirm(told.id);
        if (told.type === "provisional") responder.bondStored(told.id);
      });
    }
    for (let out = responder.nextDatagram(); out; out = responder.nextDatagram()) {
      const { bytes } = out;
      timed("client", () => initiator.receive(bytes, RESPONDER, 0));
    }
    for (let event = initiator.nextEvent(); event; event = initiator.nextEvent()) {
      const told = event;
      if (told.type === "failed") throw told.error;
      timed("client", () => {
        if (told.type === "digits") initiator.confirm(0);
        if (told.type === "provisional") initiator.bondStored();
      });
      done ||= told.type === "done";
    }
  }
}

function identity(crypto: Crypto, name: string): PairingIdentity {
  const { public: staticPublic } = crypto.x25519KeyPair(random(32));
  return { staticPublic, irk: random(16), name, platform: "bench", appId: "handfast" };
}
