import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { equalConstantTime, toHex } from "#kernel/bytes.js";
import { encodeCbor } from "#kernel/cbor.js";
import { WireError } from "#kernel/errors.js";
import {
  type Address,
  type Instant,
  type Machine,
  type OutgoingDatagram,
  type RandomSource,
  sameAddress,
} from "#kernel/ports.js";
import {
  bondIdOf,
  bondSecret,
  deriveKeys,
  freshKeyPair,
  isAcceptableKey,
  isUsableStatic,
  openIdentity,
  type PairedPeer,
  type PairingIdentity,
  type PairingKeys,
  sealIdentity,
  wipe,
  xOf,
} from "./exchange.js";
import {
  decodeFeatures,
  encodeFeatures,
  type Features,
  IO_DISPLAY_YES_NO,
  MODEL_NUMERIC,
  PAIRING_VERSION,
} from "./features.js";
import {
  decodeMessage,
  encodeMessage,
  helloPadding,
  type Message,
  pollPadding,
  STEP,
  startPadding,
  TYPE,
} from "./messages.js";
import { errorForReason, PairingError, REASON } from "./reasons.js";
import { Retransmission } from "./retransmit.js";
import { f4, g2 } from "./toolbox.js";

const GIVE_UP_MS = 10_000;
export const USER_MS = 60_000;
export const TOTAL_MS = 120_000;
const ABORT_COPIES = 2;

export interface PairingInitiatorOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly identity: PairingIdentity;
  readonly to: Address;
  readonly now: Instant;
}

export type InitiatorEvent =
  | {
      readonly type: "digits";
      readonly id: string;
      readonly digits: string;
      readonly peerName: string;
      readonly peerPlatform: string;
    }
  /** Our person said yes; the other one has not yet. */
  | { readonly type: "waitingForPeer" }
  /** Store the bond, then call `bondStored` or `bondFailed`. */
  | { readonly type: "provisional"; readonly peer: PairedPeer }
  | { readonly type: "done"; readonly peer: PairedPeer }
  | { readonly type: "failed"; readonly error: PairingError };

interface Offered {
  readonly featuresB: Uint8Array;
  readonly parsedB: Features;
  readonly publicB: Uint8Array;
  readonly commitment: Uint8Array;
  readonly na: Uint8Array;
  readonly transcript: readonly Uint8Array[];
}

/** Keys live in the state that may use them and die with it. The diagram is in PROTOCOL.md §3. */
type State =
  | { readonly name: "hello" }
  | { readonly name: "started"; readonly start: Uint8Array }
  | ({ readonly name: "nonce" } & Offered)
  | ({ readonly name: "comparing"; readonly nb: Uint8Array; readonly userUntil: Instant } & Offered)
  | {
      readonly name: "check" | "ident";
      readonly keys: PairingKeys;
      readonly parsedB: Features;
      readonly userUntil: Instant;
    }
  | { readonly name: "storing"; readonly peer: PairedPeer }
  | { readonly name: "over" };

/** The device that joins: it sends every request, the responder only answers. */
export class PairingInitiator implements Machine {
  readonly #options: PairingInitiatorOptions;
  readonly #pid: Uint8Array;
  readonly #keyPair: KeyPair;
  readonly #featuresA: Uint8Array;
  readonly #request: Retransmission;
  readonly #events: InitiatorEvent[] = [];
  readonly #aborts: Uint8Array[] = [];
  readonly #endsAt: Instant;
  #heardAt: Instant;
  #state: State = { name: "hello" };
  dropped = 0;

  constructor(options: PairingInitiatorOptions) {
    const { crypto, random, identity, now } = options;
    this.#options = options;
    this.#pid = random(8);
    // Fresh for every attempt: a key that has been seen is worth nothing to anybody (PROTOCOL.md §4).
    this.#keyPair = freshKeyPair(crypto, random);
    this.#featuresA = encodeFeatures(ownFeatures(identity, random));
    this.#request = new Retransmission(random);
    this.#endsAt = now + TOTAL_MS;
    this.#heardAt = now;
    const body = encodeCbor([this.#featuresA, this.#keyPair.public]);
    this.#send({ type: TYPE.HELLO, seq: STEP.hello, bodyHash: crypto.sha256(body), padding: helloPadding() }, now);
  }

  get id(): string {
    return toHex(this.#pid);
  }

  /** The person says: the digits are the same. Without effect unless they are being compared. */
  confirm(now: Instant): void {
    const state = this.#state;
    if (state.name !== "comparing") return;
    const { crypto } = this.#options;
    const dhKey = crypto.p256SharedSecret(this.#keyPair, state.publicB);
    if (!dhKey) return this.#abort(REASON.KEY_REJECTED, now);
    const keys = deriveKeys(crypto, dhKey, {
      pid: this.#pid,
      featuresA: this.#featuresA,
      featuresB: state.featuresB,
      ioA: IO_DISPLAY_YES_NO,
      ioB: state.parsedB.io,
      na: state.na,
      nb: state.nb,
      transcript: state.transcript,
    });
    dhKey.fill(0);
    this.#state = { name: "check", keys, parsedB: state.parsedB, userUntil: state.userUntil };
    this.#events.push({ type: "waitingForPeer" });
    this.#send({ type: TYPE.CHECK, seq: STEP.check, check: keys.checkA.slice() }, now);
  }

  /** The person says: the digits differ. */
  reject(now: Instant): void {
    this.#abort(REASON.NUMERIC_COMPARISON_FAILED, now);
  }

  cancel(now: Instant): void {
    this.#abort(REASON.UNSPECIFIED, now);
  }

  /** The provisional bond is on disk: the channel may be dialled. */
  bondStored(): void {
    if (this.#state.name !== "storing") return;
    this.#events.push({ type: "done", peer: this.#state.peer });
    this.#state = { name: "over" };
  }

  bondFailed(now: Instant): void {
    this.#abort(REASON.STORAGE_FAILED, now);
  }

  receive(datagram: Uint8Array, from: Address, now: Instant): void {
    const message = this.#parse(datagram, from);
    if (!message || !this.#handle(message, datagram, now)) {
      this.dropped++;
      return;
    }
    this.#heardAt = now;
  }

  tick(now: Instant): void {
    const { name } = this.#state;
    if (name === "over" || name === "storing") return;
    const userUntil = "userUntil" in this.#state ? this.#state.userUntil : Number.POSITIVE_INFINITY;
    if (now >= this.#endsAt || now >= userUntil) this.#abort(REASON.TIMEOUT, now);
    else if (now >= this.#heardAt + GIVE_UP_MS)
      this.#fail(name === "hello" ? new PairingError("PAIRING_NOT_ANSWERED") : new PairingError("PAIRING_TIMED_OUT"));
  }

  get deadline(): Instant | undefined {
    if (this.#aborts.length > 0) return 0;
    if (this.#state.name === "over" || this.#state.name === "storing") return undefined;
    const userUntil = "userUntil" in this.#state ? this.#state.userUntil : Number.POSITIVE_INFINITY;
    const resend = this.#request.deadline ?? Number.POSITIVE_INFINITY;
    return Math.min(this.#endsAt, userUntil, this.#heardAt + GIVE_UP_MS, resend);
  }

  nextDatagram(now: Instant): OutgoingDatagram | undefined {
    const bytes = this.#aborts.shift() ?? this.#request.next(now);
    return bytes && { bytes, to: this.#options.to };
  }

  nextEvent(): InitiatorEvent | undefined {
    return this.#events.shift();
  }

  #parse(datagram: Uint8Array, from: Address): Message | undefined {
    if (!sameAddress(from, this.#options.to)) return undefined;
    try {
      const message = decodeMessage(datagram);
      return message && equalConstantTime(message.pid, this.#pid) ? message : undefined;
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }

  /** True when the message was an answer to what we are waiting for. Whatever is not in the table is dropped. */
  #handle(message: Message, datagram: Uint8Array, now: Instant): boolean {
    const state = this.#state;
    if (message.type === TYPE.ABORT) return this.#onAbort(message.reason);
    if (state.name === "hello" && message.type === TYPE.RETRY) return this.#onRetry(message.cookie, now);
    if (state.name === "started" && message.type === TYPE.OFFER)
      return this.#onOffer(state.start, message, datagram, now);
    if (state.name === "nonce" && message.type === TYPE.REVEAL)
      return this.#onReveal(state, message.nonce, datagram, now);
    if (
      (state.name === "started" || state.name === "comparing" || state.name === "check") &&
      message.type === TYPE.WAIT
    ) {
      this.#request.slowDown(now);
      return true;
    }
    if (state.name === "check" && message.type === TYPE.CHECKED) return this.#onChecked(state, message.check, now);
    if (state.name === "ident" && message.type === TYPE.IDENTIFIED)
      return this.#onIdentified(state, message.sealed, now);
    return false;
  }

  #onAbort(reason: number): boolean {
    if (this.#state.name === "over" || this.#state.name === "storing") return false;
    this.#fail(errorForReason(reason));
    return true;
  }

  #onRetry(cookie: Uint8Array, now: Instant): boolean {
    const features = this.#featuresA;
    const publicKey = this.#keyPair.public;
    const padding = startPadding(features);
    const start = this.#send({ type: TYPE.START, seq: STEP.start, cookie, features, publicKey, padding }, now);
    this.#state = { name: "started", start };
    return true;
  }

  #onOffer(start: Uint8Array, message: Extract<Message, { type: 3 }>, offer: Uint8Array, now: Instant): boolean {
    const { crypto, random } = this.#options;
    const parsedB = featuresOf(message.features);
    if (!parsedB?.chosen || parsedB.chosen.version !== PAIRING_VERSION || !parsedB.versions.includes(PAIRING_VERSION))
      return this.#refuse(REASON.VERSION, now);
    // The model is what our person asked for, never what the other side would like.
    if (parsedB.chosen.model !== MODEL_NUMERIC || parsedB.io !== IO_DISPLAY_YES_NO)
      return this.#refuse(REASON.AUTHENTICATION_REQUIREMENTS, now);
    if (!isAcceptableKey(crypto, message.publicKey, this.#keyPair.public))
      return this.#refuse(REASON.KEY_REJECTED, now);
    // Only now, with the commitment in hand, does our nonce leave (PROTOCOL.md §4).
    const na = random(16);
    const nonce = this.#send({ type: TYPE.NONCE, seq: STEP.nonce, nonce: na }, now);
    const { features: featuresB, publicKey: publicB, commitment } = message;
    this.#state = {
      name: "nonce",
      featuresB,
      parsedB,
      publicB,
      commitment,
      na,
      transcript: [start, offer.slice(), nonce],
    };
    return true;
  }

  #onReveal(state: Extract<State, { name: "nonce" }>, nb: Uint8Array, reveal: Uint8Array, now: Instant): boolean {
    const { crypto } = this.#options;
    const [xA, xB] = [xOf(this.#keyPair.public), xOf(state.publicB)];
    if (!equalConstantTime(f4(crypto, xB, xA, nb, 0), state.commitment))
      return this.#refuse(REASON.CONFIRM_VALUE_FAILED, now);
    const { name: peerName, platform: peerPlatform } = state.parsedB;
    const digits = g2(crypto, xA, xB, state.na, nb);
    this.#state = {
      ...state,
      name: "comparing",
      nb,
      transcript: [...state.transcript, reveal.slice()],
      userUntil: now + USER_MS,
    };
    const poll = { type: TYPE.POLL, pid: this.#pid, seq: STEP.check, user: 0, padding: pollPadding() };
    this.#request.start(encodeMessage(poll), now, true);
    this.#events.push({ type: "digits", id: this.id, digits, peerName, peerPlatform });
    return true;
  }

  #onChecked(state: Extract<State, { keys: PairingKeys }>, check: Uint8Array, now: Instant): boolean {
    const { crypto, identity } = this.#options;
    if (!equalConstantTime(check, state.keys.checkB)) return this.#refuse(REASON.DHKEY_CHECK_FAILED, now);
    const sealed = sealIdentity(crypto, state.keys, "hf1 ir", identity);
    this.#state = { ...state, name: "ident" };
    this.#send({ type: TYPE.IDENT, seq: STEP.ident, sealed }, now);
    return true;
  }

  #onIdentified(state: Extract<State, { keys: PairingKeys }>, sealed: Uint8Array, now: Instant): boolean {
    const { crypto, random, identity, to } = this.#options;
    const { keys, parsedB } = state;
    let peer: ReturnType<typeof openIdentity>;
    try {
      peer = openIdentity(crypto, keys, "hf1 ri", sealed);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
    if (!peer || !isUsableStatic(crypto, random, peer.staticPublic, identity.staticPublic))
      return this.#refuse(REASON.DHKEY_CHECK_FAILED, now);
    const psk = bondSecret(crypto, keys, identity.staticPublic, peer.staticPublic);
    const { name: peerName, platform } = parsedB;
    const paired = { ...peer, name: peerName, platform, psk, bondId: bondIdOf(crypto, keys), address: to };
    wipe(keys);
    this.#request.stop();
    this.#state = { name: "storing", peer: paired };
    this.#events.push({ type: "provisional", peer: paired });
    return true;
  }

  #send(
    message: Message extends infer M ? (M extends Message ? Omit<M, "pid"> : never) : never,
    now: Instant,
  ): Uint8Array {
    const bytes = encodeMessage({ ...message, pid: this.#pid } as Message);
    this.#request.start(bytes, now);
    return bytes;
  }

  #refuse(reason: number, now: Instant): true {
    this.#abort(reason, now);
    return true;
  }

  #abort(reason: number, _now: Instant): void {
    if (this.#state.name === "over") return;
    const bytes = encodeMessage({ type: TYPE.ABORT, pid: this.#pid, seq: STEP.check, reason, retryAfter: 0 });
    for (let i = 0; i < ABORT_COPIES; i++) this.#aborts.push(bytes);
    this.#fail(errorForReason(reason));
  }

  #fail(error: PairingError): void {
    if ("keys" in this.#state) wipe(this.#state.keys);
    this.#keyPair.secret.fill(0);
    this.#request.stop();
    this.#state = { name: "over" };
    this.#events.push({ type: "failed", error });
  }
}

export function ownFeatures(identity: PairingIdentity, random: RandomSource): Features {
  const { name, platform, appId } = identity;
  const grease = random(1 + ((random(1)[0] ?? 0) % 16));
  return { versions: [PAIRING_VERSION], models: MODEL_NUMERIC, io: IO_DISPLAY_YES_NO, name, platform, appId, grease };
}

function featuresOf(bytes: Uint8Array): Features | undefined {
  try {
    return decodeFeatures(bytes, true);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
