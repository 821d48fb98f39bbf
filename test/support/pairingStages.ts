import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Address } from "#kernel/ports.js";
import type { PairedPeer, PairingIdentity } from "#pairing/exchange.js";
import { type InitiatorEvent, PairingInitiator } from "#pairing/initiator.js";
import { PairingResponder, type ResponderEvent } from "#pairing/responder.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { PC, PHONE } from "./pairing.js";

/** A pairing in single steps, each of which changes the state of one machine. The same seed gives the same bytes. */
export const STEPS = [
  "HELLO arrives",
  "RETRY arrives",
  "START arrives",
  "OFFER arrives",
  "NONCE arrives",
  "attempt counted",
  "REVEAL arrives",
  "initiator's person says yes",
  "CHECK arrives",
  "responder's person says yes",
  "CHECKED arrives",
  "IDENT arrives",
  "responder's bond stored",
  "IDENTIFIED arrives",
  "initiator's bond stored",
] as const;

export interface Sent {
  readonly bytes: Uint8Array;
  readonly by: "initiator" | "responder";
}

/** Two machines without network, timers or people: whoever holds it decides what happens next. */
export class StagedPairing {
  readonly initiator: PairingInitiator;
  readonly responder: PairingResponder;
  readonly sent: Sent[] = [];
  readonly initiatorEvents: InitiatorEvent[] = [];
  readonly responderEvents: ResponderEvent[] = [];
  now = 1000;
  /** Between the two: what arrives instead of the bytes; undefined: nothing. */
  change: (bytes: Uint8Array, by: Sent["by"]) => Uint8Array | undefined = (bytes) => bytes;
  #toInitiator: Uint8Array[] = [];
  #toResponder: Uint8Array[] = [];

  constructor(seed: number, crypto: Crypto = nativeCrypto, names: readonly [string, string] = ["Phone", "PC"]) {
    const random = new SeededRandom(seed).bytes;
    const identity = (name: string): PairingIdentity => ({
      staticPublic: crypto.x25519KeyPair(random(32)).public,
      irk: random(16),
      ...{ name, platform: "test", appId: "handfast" },
    });
    const [mine, theirs] = [identity(names[0]), identity(names[1])];
    this.responder = new PairingResponder({ crypto, random, identity: theirs, attempts: { failures: 0, windows: 0 } });
    this.responder.openWindow({}, this.now);
    this.initiator = new PairingInitiator({ crypto, random, identity: mine, to: PC, now: this.now });
    this.drain();
  }

  /** Runs the first `count` of STEPS. */
  static at(count: number, seed: number, crypto?: Crypto): StagedPairing {
    const pairing = new StagedPairing(seed, crypto);
    for (const step of STEPS.slice(0, count)) pairing.step(step);
    return pairing;
  }

  runAll(): this {
    for (const step of STEPS) this.step(step);
    return this;
  }

  step(step: (typeof STEPS)[number]): void {
    const { id } = this.initiator;
    if (step === "attempt counted") this.responder.attemptsPersisted(id, this.now);
    else if (step === "initiator's person says yes") this.initiator.confirm(this.now);
    else if (step === "responder's person says yes") this.responder.confirm(id);
    else if (step === "responder's bond stored") this.responder.bondStored(id);
    else if (step === "initiator's bond stored") this.initiator.bondStored();
    else this.#deliver(ARRIVES_AT_RESPONDER.has(step) ? "responder" : "initiator");
    this.drain();
  }

  toResponder(bytes: Uint8Array, from: Address = PHONE): Uint8Array[] {
    const before = this.sent.length;
    this.responder.receive(bytes, from, this.now);
    this.drain();
    return this.sent.slice(before).flatMap(({ bytes: answer, by }) => (by === "responder" ? [answer] : []));
  }

  toInitiator(bytes: Uint8Array, from: Address = PC): void {
    this.initiator.receive(bytes, from, this.now);
    this.drain();
  }

  get bonds(): { readonly initiator: PairedPeer | undefined; readonly responder: PairedPeer | undefined } {
    const peerOf = (events: readonly (InitiatorEvent | ResponderEvent)[]): PairedPeer | undefined => {
      for (const event of events) if (event.type === "provisional") return event.peer;
      return undefined;
    };
    return { initiator: peerOf(this.initiatorEvents), responder: peerOf(this.responderEvents) };
  }

  drain(): void {
    for (let out = this.initiator.nextDatagram(this.now); out; out = this.initiator.nextDatagram(this.now)) {
      this.sent.push({ bytes: out.bytes, by: "initiator" });
      this.#toResponder.push(out.bytes);
    }
    for (let out = this.responder.nextDatagram(); out; out = this.responder.nextDatagram()) {
      this.sent.push({ bytes: out.bytes, by: "responder" });
      this.#toInitiator.push(out.bytes);
    }
    for (let e = this.initiator.nextEvent(); e; e = this.initiator.nextEvent()) this.initiatorEvents.push(e);
    for (let e = this.responder.nextEvent(); e; e = this.responder.nextEvent()) this.responderEvents.push(e);
  }

  /** Everything that is under way in this direction. */
  #deliver(to: Sent["by"]): void {
    const queue = to === "responder" ? this.#toResponder.splice(0) : this.#toInitiator.splice(0);
    for (const bytes of queue) {
      const changed = this.change(bytes.slice(), to === "responder" ? "initiator" : "responder");
      if (!changed) continue;
      if (to === "responder") this.responder.receive(changed, PHONE, this.now);
      else this.initiator.receive(changed, PC, this.now);
      this.drain();
    }
  }
}

const ARRIVES_AT_RESPONDER: ReadonlySet<string> = new Set(
  ["HELLO", "START", "NONCE", "CHECK", "IDENT"].map((name) => `${name} arrives`),
);
