import { randomBytes } from "node:crypto";
import process from "node:process";
import type { Crypto } from "#crypto/crypto.js";
import type { PairingIdentity } from "#pairing/exchange.js";
import { PairingInitiator } from "#pairing/initiator.js";
import { PairingResponder } from "#pairing/responder.js";

/** Milliseconds of one numeric comparison, key generation included: the median of `rounds`, after as many that only warm up. */
export interface PairingCpu {
  readonly initiatorMs: number;
  readonly responderMs: number;
}

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const INITIATOR = { host: "127.0.0.1", port: 1 };
const RESPONDER = { host: "127.0.0.1", port: 2 };

export function measurePairingCpu(crypto: Crypto, rounds = 200): PairingCpu {
  const samples: PairingCpu[] = [];
  for (let i = 0; i < 2 * rounds; i++) {
    const sample = onePairing(crypto);
    if (i >= rounds) samples.push(sample);
  }
  return {
    initiatorMs: median(samples.map(({ initiatorMs }) => initiatorMs)),
    responderMs: median(samples.map(({ responderMs }) => responderMs)),
  };
}

/** Both machines in turn, each on its own stopwatch. */
function onePairing(crypto: Crypto): PairingCpu {
  const spent = { initiatorMs: 0, responderMs: 0 };
  const timed = <Result>(side: keyof PairingCpu, work: () => Result): Result => {
    const began = process.cpuUsage();
    const result = work();
    const { user, system } = process.cpuUsage(began);
    spent[side] += (user + system) / 1000;
    return result;
  };
  const [mine, theirs] = [identity(crypto, "initiator"), identity(crypto, "responder")];
  const attempts = { failures: 0, windows: 0 };
  const responder = new PairingResponder({ crypto, random, identity: theirs, attempts });
  timed("responderMs", () => responder.openWindow({}, 0));
  const initiator = timed(
    "initiatorMs",
    () => new PairingInitiator({ crypto, random, identity: mine, to: RESPONDER, now: 0 }),
  );
  let done = false;
  while (!done) {
    for (let out = initiator.nextDatagram(0); out; out = initiator.nextDatagram(0)) {
      const { bytes } = out;
      timed("responderMs", () => responder.receive(bytes, INITIATOR, 0));
    }
    for (let event = responder.nextEvent(); event; event = responder.nextEvent()) {
      const told = event;
      timed("responderMs", () => {
        if (told.type === "persistAttempts" && told.id !== undefined) responder.attemptsPersisted(told.id, 0);
        if (told.type === "digits") responder.confirm(told.id);
        if (told.type === "provisional") responder.bondStored(told.id);
      });
    }
    for (let out = responder.nextDatagram(); out; out = responder.nextDatagram()) {
      const { bytes } = out;
      timed("initiatorMs", () => initiator.receive(bytes, RESPONDER, 0));
    }
    for (let event = initiator.nextEvent(); event; event = initiator.nextEvent()) {
      const told = event;
      if (told.type === "failed") throw told.error;
      timed("initiatorMs", () => {
        if (told.type === "digits") initiator.confirm(0);
        if (told.type === "provisional") initiator.bondStored();
      });
      done ||= told.type === "done";
    }
  }
  return spent;
}

function identity(crypto: Crypto, name: string): PairingIdentity {
  const { public: staticPublic } = crypto.x25519KeyPair(random(32));
  return { staticPublic, irk: random(16), name, platform: "bench", appId: "handfast" };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
