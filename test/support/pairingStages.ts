import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Address } from "#kernel/ports.js";
import type { PairedPeer, PairingIdentity } from "#pairing/exchange.js";
import { type InitiatorEvent, type InitiatorMethod, PairingInitiator } from "#pairing/initiator.js";
import type { MethodKind, ResponderMethod } from "#pairing/invitation.js";
import { parseLink } from "#pairing/link.js";
import { decodeMessage } from "#pairing/messages.js";
import { PairingResponder, type ResponderEvent } from "#pairing/responder.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { PC, PHONE } from "./pairing.js";

const ARRIVES_AT_RESPONDER = ["HELLO", "START", "NONCE", "CHECK", "IDENT", "COMMIT"] as const;
const ARRIVES_AT_INITIATOR = ["RETRY", "OFFER", "REVEAL", "CHECKED", "IDENTIFIED", "COMMITTED"] as const;

export type Step =
  | `${(typeof ARRIVES_AT_RESPONDER)[number]} arrives`
  | `${(typeof ARRIVES_AT_INITIATOR)[number]} arrives`
  | "attempt counted"
  | "letters typed"
  | "initiator's person says yes"
  | "responder's person says yes"
  | "responder's bond stored"
  | "initiator's bond stored";

const BEGIN: readonly Step[] = ["HELLO arrives", "RETRY arrives", "START arrives", "OFFER arrives"];
const APPROVED: readonly Step[] = ["CHECK arrives", "responder's person says yes"];
const END: readonly Step[] = [
  ...(["CHECKED arrives", "IDENT arrives", "responder's bond stored"] as const),
  ...(["IDENTIFIED arrives", "initiator's bond stored"] as const),
];
const ROUND: readonly Step[] = ["COMMIT arrives", "COMMITTED arrives", "NONCE arrives", "REVEAL arrives"];

/** A pairing in single steps, each of which changes the state of one machine. */
export const STEPS: Readonly<Record<MethodKind, readonly Step[]>> = {
  compare: [
    ...BEGIN,
    ...(["NONCE arrives", "attempt counted", "REVEAL arrives", "initiator's person says yes"] as const),
    ...APPROVED,
    ...END,
  ],
  code: [
    ...BEGIN,
    ...(["letters typed", "COMMIT arrives", "attempt counted"] as const),
    ...ROUND.slice(1),
    ...Array.from({ length: 19 }, () => ROUND).flat(),
    ...APPROVED,
    ...END,
  ],
  link: [...BEGIN, "NONCE arrives", "REVEAL arrives", ...APPROVED, ...END],
  secret: [...BEGIN, "NONCE arrives", "REVEAL arrives", "CHECK arrives", ...END],
};

export interface Sent {
  readonly bytes: Uint8Array;
  readonly by: "initiator" | "responder";
}

export interface StagedOptions {
  /** The same seed gives the same bytes. */
  readonly seed: number;
  readonly method?: MethodKind;
  readonly crypto?: Crypto;
  readonly names?: readonly [initiator: string, responder: string];
}

/** Two machines without network, timers or people: whoever holds it decides what happens next. */
export class StagedPairing {
  readonly method: MethodKind;
  readonly secret: Uint8Array;
  readonly initiator: PairingInitiator;
  readonly responder: PairingResponder;
  readonly sent: Sent[] = [];
  readonly initiatorEvents: InitiatorEvent[] = [];
  readonly responderEvents: ResponderEvent[] = [];
  now = 1000;
  /** Between the two: what arrives instead of the bytes; undefined: nothing. */
  change: (bytes: Uint8Array, by: Sent["by"]) => Uint8Array | undefined = (bytes) => bytes;
  /** `seq` of what the initiator waits for, and of the last request that reached the responder. */
  asked = 0;
  arrived = -1;
  #toInitiator: Uint8Array[] = [];
  #toResponder: Uint8Array[] = [];

  constructor({ seed, method = "compare", crypto = nativeCrypto, names = ["Phone", "PC"] }: StagedOptions) {
    this.method = method;
    const random = new SeededRandom(seed).bytes;
    const identity = (name: string): PairingIdentity => ({
      staticPublic: crypto.x25519KeyPair(random(32)).public,
      irk: random(16),
      ...{ name, platform: "test", appId: "handfast" },
    });
    const [mine, theirs] = [identity(names[0]), identity(names[1])];
    const secret = random(32);
    this.secret = secret;
    this.responder = new PairingResponder({ crypto, random, identity: theirs, attempts: { failures: 0, windows: 0 } });
    this.responder.openWindow({ method: responderMethod(method, secret) }, this.now);
    this.drain();
    const own = this.#initiatorMethod(secret);
    this.initiator = new PairingInitiator({ crypto, random, identity: mine, to: PC, now: this.now, method: own });
    this.drain();
  }

  /** Runs the first `count` steps. */
  static at(count: number, options: StagedOptions): StagedPairing {
    const pairing = new StagedPairing(options);
    for (const step of STEPS[pairing.method].slice(0, count)) pairing.step(step);
    return pairing;
  }

  runAll(): this {
    for (const step of STEPS[this.method]) this.step(step);
    return this;
  }

  step(step: Step): void {
    const { id } = this.initiator;
    if (step === "attempt counted") this.responder.attemptsPersisted(id, this.now);
    else if (step === "initiator's person says yes") this.initiator.confirm(this.now);
    else if (step === "letters typed") this.initiator.enterCode(this.shown("letters"), this.now);
    else if (step === "responder's person says yes") this.responder.confirm(id);
    else if (step === "responder's bond stored") this.responder.bondStored(id);
    else if (step === "initiator's bond stored") this.initiator.bondStored();
    else this.#deliver(ARRIVES_AT_RESPONDER.some((name) => step === `${name} arrives`) ? "responder" : "initiator");
    this.drain();
  }

  /** What stood on the responder's screen when the window was opened. */
  shown(what: "letters" | "link"): string {
    for (const event of this.responderEvents) {
      if (event.type === "letters" && what === "letters") return event.letters;
      if (event.type === "link" && what === "link") return event.link;
    }
    return "";
  }

  get bonds(): { readonly initiator: PairedPeer | undefined; readonly responder: PairedPeer | undefined } {
    const peerOf = (events: readonly (InitiatorEvent | ResponderEvent)[]): PairedPeer | undefined => {
      for (const event of events) if (event.type === "provisional") return event.peer;
      return undefined;
    };
    return { initiator: peerOf(this.initiatorEvents), responder: peerOf(this.responderEvents) };
  }

  drain(): void {
    for (let out = this.initiator?.nextDatagram(this.now); out; out = this.initiator.nextDatagram(this.now)) {
      this.sent.push({ bytes: out.bytes, by: "initiator" });
      this.asked = decodeMessage(out.bytes)?.seq ?? this.asked;
      // A poll is no step: it would only be answered by WAIT.
      if (out.bytes[2] !== 10) this.#toResponder.push(out.bytes);
    }
    for (let out = this.responder.nextDatagram(); out; out = this.responder.nextDatagram()) {
      this.sent.push({ bytes: out.bytes, by: "responder" });
      this.#toInitiator.push(out.bytes);
    }
    for (let e = this.initiator?.nextEvent(); e; e = this.initiator.nextEvent()) this.initiatorEvents.push(e);
    for (let e = this.responder.nextEvent(); e; e = this.responder.nextEvent()) this.responderEvents.push(e);
  }

  #initiatorMethod(secret: Uint8Array): InitiatorMethod {
    if (this.method === "link") return { kind: "link", link: parseLink(this.shown("link")) };
    return this.method === "secret" ? { kind: "secret", secret } : { kind: this.method };
  }

  /** Everything that is under way in this direction. */
  #deliver(to: Sent["by"]): void {
    const queue = to === "responder" ? this.#toResponder.splice(0) : this.#toInitiator.splice(0);
    for (const bytes of queue) {
      const changed = this.change(bytes.slice(), to === "responder" ? "initiator" : "responder");
      if (!changed) continue;
      if (to === "responder") {
        this.arrived = decodeMessage(bytes)?.seq ?? this.arrived;
        this.responder.receive(changed, PHONE, this.now);
      } else this.initiator.receive(changed, PC, this.now);
      this.drain();
    }
  }
}

export function responderMethod(
  kind: MethodKind,
  secret: Uint8Array,
  addresses: readonly Address[] = [PC],
): ResponderMethod {
  if (kind === "link") return { kind, addresses };
  return kind === "secret" ? { kind, secret } : { kind };
}
