import type { Crypto } from "#crypto/crypto.js";
import { equalConstantTime, toHex } from "#kernel/bytes.js";
import { encodeCbor } from "#kernel/cbor.js";
import { unlessMalformed } from "#kernel/errors.js";
import {
  type Address,
  type Instant,
  type Machine,
  type OutgoingDatagram,
  type RandomSource,
  sameAddress,
} from "#kernel/ports.js";
import { freshKeyPair, type PairingIdentity, wipe } from "./exchange.js";
import { ownFeatures } from "./features.js";
import { onSame } from "./initiatorNumeric.js";
import { onTyped } from "./initiatorPasskey.js";
import type { InitiatorContext, InitiatorEvent, InitiatorOutcome, InitiatorState } from "./initiatorStates.js";
import { initiatorMove } from "./initiatorTable.js";
import { decodeMessage, encodeMessage, helloPadding, type Message, STEP, TYPE } from "./messages.js";
import { MODEL, type Model, traitsOf } from "./models.js";
import { type OutOfBand, requireSecret } from "./outOfBand.js";
import { parsePasskey } from "./passkey.js";
import { errorForReason, PairingError, REASON } from "./reasons.js";
import { Retransmission } from "./retransmit.js";

export type { InitiatorEvent } from "./initiatorStates.js";

const GIVE_UP_MS = 10_000;
const TOTAL_MS = 120_000;
/** An ABORT may be forged: whoever really sent it repeats it when asked again. PROTOCOL.md §5. */
const ABORT_GRACE_MS = 1000;
/** The other attempt may be one that has just been given up. */
const BUSY_GRACE_MS = 2500;
const ABORT_COPIES = 2;

/** How this device's person wants to pair. */
export type InitiatorMethod = { readonly kind: "compare" } | { readonly kind: "code" } | OutOfBand;

export interface PairingInitiatorOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly identity: PairingIdentity;
  /** Where the other side may be: the first that answers counts. At least one. */
  readonly to: Address | readonly [Address, ...Address[]];
  readonly now: Instant;
  /** Default: compare. */
  readonly method?: InitiatorMethod;
}

/** The device that joins: it sends every request, the responder only answers. */
export class PairingInitiator implements Machine {
  #context: InitiatorContext;
  readonly #candidates: readonly Address[];
  /** HELLOs for the other candidates. */
  readonly #greetings: OutgoingDatagram[] = [];
  readonly #request: Retransmission;
  readonly #events: InitiatorEvent[] = [];
  readonly #aborts: Uint8Array[] = [];
  readonly #endsAt: Instant;
  #heardAt: Instant;
  #seq: number = STEP.hello;
  #state: InitiatorState;
  #aborted: { readonly reason: number; readonly at: Instant } | undefined;
  #toldDelay = false;
  dropped = 0;

  constructor(options: PairingInitiatorOptions) {
    const { crypto, random, identity, to, now, method = { kind: "compare" } } = options;
    if (method.kind === "secret") requireSecret(method.secret);
    const model = modelOf(method);
    const pid = random(8);
    const outOfBand = method.kind === "link" || method.kind === "secret" ? method : undefined;
    const candidates = "host" in to ? ([to] as const) : to;
    this.#candidates = candidates;
    this.#context = { crypto, random, identity, to: candidates[0], pid, id: toHex(pid), model, outOfBand };
    this.#request = new Retransmission(random);
    this.#endsAt = now + TOTAL_MS;
    this.#heardAt = now;
    // Fresh for every attempt: a key that has been seen is worth nothing to anybody (PROTOCOL.md §4).
    const keyPair = freshKeyPair(crypto, random);
    const featuresA = ownFeatures(identity, random, { model, io: traitsOf(model).ioInitiator });
    this.#state = { name: "hello", keyPair, featuresA };
    const bodyHash = crypto.sha256(encodeCbor([featuresA, keyPair.public]));
    const hello = encodeMessage({ type: TYPE.HELLO, pid, seq: STEP.hello, bodyHash, padding: helloPadding() });
    this.#request.start(hello, now);
  }

  get id(): string {
    return this.#context.id;
  }

  /** For display and tests: a name of PROTOCOL.md §3. */
  get stateName(): InitiatorState["name"] {
    return this.#state.name;
  }

  /** The person says: the digits are the same. Without effect unless they are being compared. */
  confirm(now: Instant): void {
    if (this.#state.name === "comparing") this.#apply(onSame(this.#context, this.#state), now);
  }

  /** The letters that the person typed. False when they cannot be such letters; then nothing has happened. */
  enterCode(typed: string, now: Instant): boolean {
    if (this.#state.name !== "typing") return false;
    const passkey = parsePasskey(typed);
    if (passkey === undefined) return false;
    this.#apply(onTyped(this.#context, this.#state, passkey), now);
    return true;
  }

  /** The person says: the digits differ. */
  reject(_now: Instant): void {
    if (this.#running) this.#abort(REASON.NUMERIC_COMPARISON_FAILED);
  }

  /** Without effect when the bond is being stored: then the other side has it, and forgetting is the way back. */
  cancel(_now: Instant): void {
    if (this.#running) this.#abort(REASON.UNSPECIFIED);
  }

  /** The provisional bond is on disk: the channel may be dialled. */
  bondStored(): void {
    if (this.#state.name !== "storing") return;
    this.#events.push({ type: "done", peer: this.#state.peer });
    this.#enter({ name: "over" });
  }

  bondFailed(_now: Instant): void {
    if (this.#state.name === "storing") this.#abort(REASON.STORAGE_FAILED);
  }

  receive(datagram: Uint8Array, from: Address, now: Instant): void {
    const message = this.#parse(datagram, from);
    const known =
      message &&
      (message.type === TYPE.ABORT ? this.#onAbort(message.reason, now) : this.#move(message, datagram, from, now));
    if (!known) this.dropped++;
  }

  tick(now: Instant): void {
    if (!this.#running) return;
    if (this.#aborted && now >= this.#aborted.at) this.#fail(errorForReason(this.#aborted.reason, this.#context.model));
    else if (now >= this.#endsAt || now >= this.#userUntil) this.#abort(REASON.TIMEOUT);
    else if (now >= this.#heardAt + GIVE_UP_MS)
      this.#fail(new PairingError(this.#state.name === "hello" ? "PAIRING_NOT_ANSWERED" : "PAIRING_TIMED_OUT"));
  }

  get deadline(): Instant | undefined {
    if (this.#aborts.length > 0) return 0;
    if (!this.#running) return undefined;
    const resend = this.#request.deadline ?? Number.POSITIVE_INFINITY;
    const aborted = this.#aborted?.at ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#endsAt, this.#userUntil, this.#heardAt + GIVE_UP_MS, resend, aborted);
  }

  nextDatagram(now: Instant): OutgoingDatagram | undefined {
    const greeting = this.#greetings.shift();
    if (greeting) return greeting;
    const bytes = this.#aborts.shift() ?? this.#request.next(now);
    if (!bytes) return undefined;
    if (this.#state.name === "hello") for (const to of this.#candidates.slice(1)) this.#greetings.push({ bytes, to });
    return { bytes, to: this.#context.to };
  }

  nextEvent(): InitiatorEvent | undefined {
    return this.#events.shift();
  }

  get #running(): boolean {
    return this.#state.name !== "over" && this.#state.name !== "storing";
  }

  get #userUntil(): Instant {
    return "userUntil" in this.#state ? this.#state.userUntil : Number.POSITIVE_INFINITY;
  }

  #parse(datagram: Uint8Array, from: Address): Message | undefined {
    const greeted = this.#state.name === "hello" && this.#candidates.some((address) => sameAddress(from, address));
    if (!greeted && !sameAddress(from, this.#context.to)) return undefined;
    const message = unlessMalformed(() => decodeMessage(datagram));
    return message && equalConstantTime(message.pid, this.#context.pid) ? message : undefined;
  }

  /** True when the message was an answer to what we are waiting for. */
  #move(message: Message, datagram: Uint8Array, from: Address, now: Instant): boolean {
    if (message.seq !== this.#seq) return false;
    // Whoever answers HELLO first is the one we go on with.
    const context = { ...this.#context, to: from };
    const outcome = initiatorMove(context, this.#state, message, datagram, now);
    if (!outcome) return false;
    this.#context = context;
    this.#heardAt = now;
    this.#aborted = undefined;
    this.#apply(outcome, now);
    return true;
  }

  #apply(outcome: InitiatorOutcome, now: Instant): void {
    if ("refuse" in outcome) return this.#abort(outcome.refuse);
    if ("wait" in outcome) return this.#wait(outcome.delayed, now);
    this.#enter(outcome.to);
    if (outcome.request) {
      this.#seq = outcome.request.seq;
      this.#request.start(outcome.request.bytes, now, outcome.poll);
    }
    if (outcome.event) this.#events.push(outcome.event);
    if (!this.#running) this.#request.stop();
  }

  #wait(delayed: number | undefined, now: Instant): void {
    if (delayed !== undefined && !this.#toldDelay) {
      this.#toldDelay = true;
      this.#events.push({ type: "delayed", seconds: delayed });
    }
    this.#request.slowDown(now);
  }

  /** Not at once: a live responder answers the same request again, with ABORT or with what we wait for. */
  #onAbort(reason: number, now: Instant): boolean {
    if (!this.#running || this.#state.name === "hello") return false;
    if (this.#aborted) {
      // The answer to the repeated request is the newer truth.
      this.#aborted = { reason, at: this.#aborted.at };
      return true;
    }
    const busy = reason === REASON.BUSY;
    this.#aborted = { reason, at: now + (busy ? BUSY_GRACE_MS : ABORT_GRACE_MS) };
    if (busy) this.#request.slowDown(now);
    else this.#request.again(now);
    return true;
  }

  #abort(reason: number): void {
    if (this.#state.name === "over") return;
    const { pid, model } = this.#context;
    const bytes = encodeMessage({ type: TYPE.ABORT, pid, seq: this.#seq, reason, retryAfter: 0 });
    for (let i = 0; i < ABORT_COPIES; i++) this.#aborts.push(bytes);
    this.#fail(errorForReason(reason, model));
  }

  #fail(error: PairingError): void {
    this.#request.stop();
    this.#enter({ name: "over" });
    this.#events.push({ type: "failed", error });
  }

  /** Secrets that the next state does not carry on die here. */
  #enter(next: InitiatorState): void {
    const last = this.#state;
    if ("keyPair" in last && !("keyPair" in next)) last.keyPair.secret.fill(0);
    if ("keys" in last && !("keys" in next)) wipe(last.keys);
    this.#state = next;
  }
}

function modelOf(method: InitiatorMethod): Model {
  if (method.kind === "compare") return MODEL.numeric;
  return method.kind === "code" ? MODEL.passkey : MODEL.outOfBand;
}
