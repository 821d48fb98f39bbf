import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { equalConstantTime, toHex } from "#kernel/bytes.js";
import type { Address, Instant, RandomSource } from "#kernel/ports.js";
import { type PairingIdentity, wipe } from "./exchange.js";
import { type Features, ownFeatures } from "./features.js";
import { type Message, type MessageOf, STEP, TYPE } from "./messages.js";
import { MODEL, type Model, traitsOf } from "./models.js";
import type { OutOfBand } from "./outOfBand.js";
import { REASON } from "./reasons.js";
import { offerNumeric } from "./responderNumeric.js";
import { answerOf } from "./responderShared.js";
import { isActive, type Offered, type ResponderContext, type ResponderState } from "./responderStates.js";

/** Longer than a poll takes: a live initiator that we took for gone is heard before. */
const ABORT_GRACE_MS = 1500;

/** What every state does with what is no new request; `answer` undefined: nothing is said. */
export type Reaction =
  | { readonly answer: Uint8Array | undefined }
  | { readonly refuse: number }
  | { readonly drop: "unexpected" };

const UNEXPECTED: Reaction = { drop: "unexpected" };

/** A START that passed the door. */
export interface Admitted {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly identity: PairingIdentity;
  readonly model: Model;
  readonly outOfBand: OutOfBand | undefined;
  readonly keyPair: KeyPair;
  readonly message: MessageOf<"START">;
  readonly start: Uint8Array;
  readonly parsedA: Features;
  readonly from: Address;
  readonly now: Instant;
}

/** One attempt as the responder sees it: from a valid START to its bond, or its end. */
export class ResponderSession {
  readonly context: ResponderContext;
  readonly peerName: string;
  #state: ResponderState;
  /** The last request and what it was answered with. */
  lastSeq: number = STEP.start;
  lastRequest: Uint8Array;
  answer: Uint8Array | undefined;
  /** It ended with a bond: only a repeated IDENT is still answered. */
  bond = false;
  heardAt: Instant;
  userUntil: Instant = Number.POSITIVE_INFINITY;
  /** An ABORT came, which may be forged: it counts unless something else comes before `at`. */
  aborted: { readonly reason: number; readonly at: Instant } | undefined;

  constructor(admitted: Admitted) {
    const { crypto, random, identity, model, outOfBand, keyPair, message, parsedA, from } = admitted;
    const { pid, publicKey: publicA, features: featuresA } = message;
    this.context = { crypto, random, identity, from, pid, id: toHex(pid), model, outOfBand };
    this.peerName = parsedA.name;
    this.heardAt = admitted.now;
    this.lastRequest = admitted.start.slice();
    const featuresB = ownFeatures(identity, random, { model, io: traitsOf(model).ioResponder, chosen: true });
    const publicKey = keyPair.public;
    const numeric = model === MODEL.numeric ? offerNumeric(this.context, publicA, publicKey) : undefined;
    const commitment = numeric?.commitment ?? new Uint8Array(0);
    const offer = answerOf(this.context, {
      type: TYPE.OFFER,
      seq: STEP.start,
      features: featuresB,
      publicKey,
      commitment,
    });
    this.answer = offer;
    const transcript = [this.lastRequest, offer];
    const offered: Offered = { keyPair, publicA, featuresA, parsedA, featuresB, transcript };
    if (numeric) this.#state = numeric.state(offered);
    else this.#state = { name: model === MODEL.passkey ? "waiting" : "linked", ...offered };
  }

  get state(): ResponderState {
    return this.#state;
  }

  /** It holds the one slot. */
  get active(): boolean {
    return isActive(this.#state);
  }

  /** Repeats, polls and ABORTs, the same in every state; undefined for a new request, which is the table's. */
  react(message: Message, datagram: Uint8Array, now: Instant): Reaction | undefined {
    if (message.type === TYPE.ABORT) return this.#onAbort(message.reason, now);
    if (message.seq < this.lastSeq || message.seq > this.lastSeq + 1) return UNEXPECTED;
    const repeated = message.seq === this.lastSeq;
    if (this.#state.name === "over") return this.#onOver(repeated, datagram);
    if (repeated) return this.#onRepeat(datagram, now);
    return message.type === TYPE.POLL ? this.#onPoll(message.seq, now) : undefined;
  }

  accept(seq: number, request: Uint8Array, now: Instant): void {
    this.lastSeq = seq;
    this.lastRequest = request.slice();
    this.heard(now);
    this.answer = undefined;
  }

  heard(now: Instant): void {
    this.heardAt = now;
    this.aborted = undefined;
  }

  /** Secrets that the next state does not carry on die here. */
  enter(next: ResponderState): void {
    const last = this.#state;
    const held = next.name === "counting" ? next.next.to : next;
    // A link's key pair is the window's, and dies with the link.
    if ("keyPair" in last && !("keyPair" in held) && this.context.outOfBand?.kind !== "link")
      last.keyPair.secret.fill(0);
    if ("keys" in last && !("keys" in held)) wipe(last.keys);
    if (last.name === "counting" && next.name === "over" && "keyPair" in last.next.to)
      last.next.to.keyPair.secret.fill(0);
    this.#state = next;
  }

  /** Ends without a bond; the answer to whatever still comes is ABORT. */
  abort(reason: number): Uint8Array {
    this.answer = answerOf(this.context, { type: TYPE.ABORT, seq: this.lastSeq, reason, retryAfter: 0 });
    this.enter({ name: "over" });
    return this.answer;
  }

  /** CHECK was right, and our person has not answered yet. */
  waitIfAsked(now: Instant): Uint8Array | undefined {
    return this.#state.name === "checked" ? this.#wait(this.lastSeq, now) : undefined;
  }

  #wait(seq: number, now: Instant): Uint8Array {
    const user = "userYes" in this.#state && this.#state.userYes ? 1 : 0;
    const secondsLeft = Math.min(Math.max(0, Math.ceil((this.userUntil - now) / 1000)), 120);
    return answerOf(this.context, { type: TYPE.WAIT, seq, user, secondsLeft });
  }

  #onRepeat(datagram: Uint8Array, now: Instant): Reaction {
    if (!equalConstantTime(datagram, this.lastRequest)) return { refuse: REASON.INVALID_PARAMETERS };
    this.heard(now);
    return { answer: this.answer ?? this.waitIfAsked(now) };
  }

  /** It ended here; the other side may not know. */
  #onOver(repeated: boolean, datagram: Uint8Array): Reaction {
    if (repeated && !equalConstantTime(datagram, this.lastRequest)) return UNEXPECTED;
    if (this.bond && !repeated) return UNEXPECTED;
    return this.answer ? { answer: this.answer } : UNEXPECTED;
  }

  #onPoll(seq: number, now: Instant): Reaction {
    if (this.#state.name !== "asking" && this.#state.name !== "waiting") return UNEXPECTED;
    this.heard(now);
    return { answer: this.#wait(seq, now) };
  }

  #onAbort(reason: number, now: Instant): Reaction {
    if (this.#state.name === "over" || this.#state.name === "storing" || this.aborted) return UNEXPECTED;
    this.aborted = { reason, at: now + ABORT_GRACE_MS };
    return { answer: undefined };
  }
}
