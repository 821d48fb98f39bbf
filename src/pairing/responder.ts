import type { Crypto } from "#crypto/crypto.js";
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
import { freshKeyPair, isAcceptableKey, type PairedPeer, type PairingIdentity } from "./exchange.js";
import { decodeFeatures, type Features, IO_DISPLAY_YES_NO, MODEL_NUMERIC, PAIRING_VERSION } from "./features.js";
import { USER_MS } from "./initiator.js";
import { decodeMessage, encodeMessage, type Message, STEP, TYPE } from "./messages.js";
import { PairingCookies } from "./pairingCookie.js";
import { errorForReason, type PairingError, REASON } from "./reasons.js";
import { ResponderSession } from "./responderSession.js";
import { type PairingAttempts, PairingWindow, WINDOW_ATTEMPTS, WINDOW_SECONDS } from "./window.js";

const SILENT_MS = 20_000;
const TIME_WAIT_MS = 60_000;
const MAX_OFFERED = 4;
const MAX_OVER = 16;
const ABORT_AFTER_MS = [0, 200, 600] as const;

export interface PairingResponderOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly identity: PairingIdentity;
  readonly attempts: PairingAttempts;
}

export type ResponderEvent =
  | { readonly type: "windowOpened"; readonly seconds: number }
  | { readonly type: "windowClosed"; readonly reason: "time" | "success" | "tooManyTries" | "closed" }
  /** Store the counters; when `needed`, then call `attemptsPersisted`. */
  | { readonly type: "persistAttempts"; readonly attempts: PairingAttempts; readonly needed: boolean }
  | {
      readonly type: "digits";
      readonly id: string;
      readonly digits: string;
      readonly peerName: string;
      readonly peerPlatform: string;
      readonly address: Address;
    }
  /** Store the bond, then call `bondStored` or `bondFailed`. */
  | { readonly type: "provisional"; readonly id: string; readonly peer: PairedPeer }
  | { readonly type: "done"; readonly id: string; readonly peer: PairedPeer }
  | { readonly type: "failed"; readonly id: string; readonly peerName: string; readonly error: PairingError };

/** Why datagrams were dropped. */
export interface ResponderDrops {
  malformed: number;
  closed: number;
  cookie: number;
  unexpected: number;
}

/** The PC's side: answers, never asks. Silent unless a person has opened the window. PROTOCOL.md §3. */
export class PairingResponder implements Machine {
  readonly drops: ResponderDrops = { malformed: 0, closed: 0, cookie: 0, unexpected: 0 };
  readonly #options: PairingResponderOptions;
  readonly #cookies: PairingCookies;
  readonly #window: PairingWindow;
  /** By hex of the attempt's pid; those that are over still answer repeats for a minute. */
  readonly #sessions = new Map<string, ResponderSession>();
  readonly #out: OutgoingDatagram[] = [];
  #late: { readonly at: Instant; readonly datagram: OutgoingDatagram }[] = [];
  readonly #events: ResponderEvent[] = [];

  constructor(options: PairingResponderOptions) {
    this.#options = options;
    this.#cookies = new PairingCookies(options.crypto, options.random);
    this.#window = new PairingWindow(options.attempts);
  }

  get isOpen(): boolean {
    return this.#window.isOpen;
  }

  /** Lets strangers try, for a time and for so many failures. Only a person's local action calls this. */
  openWindow(options: { readonly seconds?: number; readonly attempts?: number }, now: Instant): void {
    // Attempts offered in an older window would skip this one's waiting time.
    for (const [id, { state }] of this.#sessions) if (state.name === "offered") this.#sessions.delete(id);
    const seconds = options.seconds ?? WINDOW_SECONDS;
    const attempts = this.#window.open(seconds, options.attempts ?? WINDOW_ATTEMPTS, now);
    this.#events.push({ type: "persistAttempts", attempts, needed: false });
    this.#events.push({ type: "windowOpened", seconds });
  }

  closeWindow(): void {
    if (!this.#window.isOpen) return;
    this.#window.close();
    this.#events.push({ type: "windowClosed", reason: "closed" });
  }

  /** The person at this screen says: the digits of attempt `id` are the same. */
  confirm(id: string): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    session.userConfirms();
    if (session.state.name === "ident" && session.answer) this.#out.push({ bytes: session.answer, to: session.from });
  }

  reject(id: string, now: Instant): void {
    const session = this.#sessions.get(id);
    if (session?.active) this.#end(session, REASON.NUMERIC_COMPARISON_FAILED, now, true);
  }

  /** The counters of attempt that just began are on disk. */
  attemptsPersisted(now: Instant): void {
    const session = this.#active();
    const digits = session?.reveal(now + USER_MS);
    if (!session || digits === undefined || session.state.name !== "comparing") return;
    if (session.answer) this.#out.push({ bytes: session.answer, to: session.from });
    const { name: peerName, platform: peerPlatform } = session.state.parsedA;
    this.#events.push({
      type: "digits",
      id: toHex(session.pid),
      digits,
      peerName,
      peerPlatform,
      address: session.from,
    });
  }

  bondStored(id: string): void {
    const session = this.#sessions.get(id);
    const peer = session?.stored();
    if (!session || !peer) return;
    if (session.answer) this.#out.push({ bytes: session.answer, to: session.from });
    this.#events.push({ type: "persistAttempts", attempts: this.#window.succeed(), needed: false });
    this.#events.push({ type: "done", id, peer });
    this.#events.push({ type: "windowClosed", reason: "success" });
  }

  bondFailed(id: string, now: Instant): void {
    const session = this.#sessions.get(id);
    if (session) this.#end(session, REASON.STORAGE_FAILED, now, true);
  }

  receive(datagram: Uint8Array, from: Address, now: Instant): void {
    let message: Message | undefined;
    try {
      message = decodeMessage(datagram);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
    if (!message) {
      this.drops.malformed++;
      return;
    }
    const session = this.#sessions.get(toHex(message.pid));
    const answer = session
      ? this.#onSession(session, message, datagram, from, now)
      : this.#onNew(message, datagram, from, now);
    if (answer) this.#out.push({ bytes: answer, to: from });
  }

  tick(now: Instant): void {
    this.#late = this.#late.filter(({ at, datagram }) => {
      if (at <= now) this.#out.push(datagram);
      return at > now;
    });
    if (this.#window.expired(now)) this.#events.push({ type: "windowClosed", reason: "time" });
    for (const [id, session] of this.#sessions) {
      if (now < this.#expiryOf(session)) continue;
      if (session.active) this.#end(session, REASON.TIMEOUT, now, true);
      else this.#sessions.delete(id);
    }
  }

  get deadline(): Instant | undefined {
    let earliest = this.#window.deadline ?? Number.POSITIVE_INFINITY;
    for (const session of this.#sessions.values()) earliest = Math.min(earliest, this.#expiryOf(session));
    for (const { at } of this.#late) earliest = Math.min(earliest, at);
    return Number.isFinite(earliest) ? earliest : undefined;
  }

  nextDatagram(): OutgoingDatagram | undefined {
    return this.#out.shift();
  }

  nextEvent(): ResponderEvent | undefined {
    return this.#events.shift();
  }

  #expiryOf(session: ResponderSession): Instant {
    // Our own disk is not the peer's fault: while the bond is being written nothing expires.
    if (session.state.name === "storing" || session.state.name === "counting") return Number.POSITIVE_INFINITY;
    if (!session.active) return session.heardAt + (session.state.name === "over" ? TIME_WAIT_MS : SILENT_MS);
    return Math.min(session.heardAt + SILENT_MS, session.userUntil);
  }

  /** A stranger: cookie first, nothing is remembered before it comes back. */
  #onNew(message: Message, datagram: Uint8Array, from: Address, now: Instant): Uint8Array | undefined {
    if (!this.#window.isOpen && !this.#window.isLocked(now)) return this.#drop("closed");
    if (message.type === TYPE.HELLO) {
      const cookie = this.#cookies.make(from, message.pid, message.bodyHash, now);
      return encodeMessage({ type: TYPE.RETRY, pid: message.pid, seq: STEP.hello, cookie });
    }
    if (message.type !== TYPE.START) return this.#drop("unexpected");
    const { crypto } = this.#options;
    const bodyHash = crypto.sha256(encodeCbor([message.features, message.publicKey]));
    if (!this.#cookies.check(message.cookie, from, message.pid, bodyHash, now)) return this.#drop("cookie");
    return this.#onStart(message, datagram, from, now);
  }

  #onStart(
    message: Extract<Message, { type: 2 }>,
    start: Uint8Array,
    from: Address,
    now: Instant,
  ): Uint8Array | undefined {
    const refuse = (reason: number, retryAfter = 0): Uint8Array =>
      encodeMessage({ type: TYPE.ABORT, pid: message.pid, seq: STEP.start, reason, retryAfter });
    if (this.#window.isLocked(now)) return refuse(REASON.REPEATED_ATTEMPTS);
    const wait = this.#window.waitSeconds(now);
    // A person who tries again waits a little and is told so; nothing is remembered meanwhile.
    if (wait > 0)
      return encodeMessage({ type: TYPE.WAIT, pid: message.pid, seq: STEP.start, user: 0, secondsLeft: wait });
    if (this.#active()) return refuse(REASON.BUSY, 1);
    const parsedA = featuresOf(message.features);
    if (!parsedA) return refuse(REASON.INVALID_PARAMETERS);
    if (!parsedA.versions.includes(PAIRING_VERSION)) return refuse(REASON.VERSION);
    if ((parsedA.models & MODEL_NUMERIC) === 0 || parsedA.io !== IO_DISPLAY_YES_NO)
      return refuse(REASON.AUTHENTICATION_REQUIREMENTS);
    const { crypto, random, identity } = this.#options;
    const keyPair = freshKeyPair(crypto, random);
    if (!isAcceptableKey(crypto, message.publicKey, keyPair.public)) return refuse(REASON.KEY_REJECTED);
    this.#makeRoom();
    const session = new ResponderSession({ crypto, random, identity, keyPair, message, start, parsedA, from, now });
    this.#sessions.set(toHex(message.pid), session);
    return session.answer;
  }

  #onSession(
    session: ResponderSession,
    message: Message,
    datagram: Uint8Array,
    from: Address,
    now: Instant,
  ): Uint8Array | undefined {
    if (!sameAddress(session.from, from)) return this.#drop("unexpected");
    if (message.type === TYPE.ABORT) return this.#onPeerAbort(session, message.reason, now);
    if (message.type === TYPE.POLL) return this.#onPoll(session, message.seq, now);
    if (message.seq < session.lastSeq || message.seq > session.lastSeq + 1) return this.#drop("unexpected");
    if (message.seq === session.lastSeq) return this.#onRepeat(session, datagram, now);
    if (session.state.name === "over") return session.answer;
    return this.#onRequest(session, message, datagram, now);
  }

  /** The table of PROTOCOL.md §3: what is not in it is dropped. */
  #onRequest(session: ResponderSession, message: Message, datagram: Uint8Array, now: Instant): Uint8Array | undefined {
    const { state } = session;
    if (state.name === "offered" && message.type === TYPE.NONCE) {
      if (this.#active() || !this.#window.isOpen) return this.#end(session, REASON.BUSY, now, false);
      this.#accept(session, message.seq, datagram, now);
      session.onNonce(message.nonce, datagram);
      this.#events.push({ type: "persistAttempts", attempts: this.#window.begin(), needed: true });
      return undefined;
    }
    if (state.name === "comparing" && message.type === TYPE.CHECK) {
      this.#accept(session, message.seq, datagram, now);
      const reason = session.onCheck(message.check);
      return reason === undefined
        ? (session.answer ?? session.wait(message.seq, now))
        : this.#end(session, reason, now, false);
    }
    if (state.name === "ident" && message.type === TYPE.IDENT) {
      this.#accept(session, message.seq, datagram, now);
      const peer = session.onIdent(message.sealed);
      if (typeof peer === "number") return this.#end(session, peer, now, false);
      this.#events.push({ type: "provisional", id: toHex(session.pid), peer });
      return undefined;
    }
    return this.#drop("unexpected");
  }

  #accept(session: ResponderSession, seq: number, datagram: Uint8Array, now: Instant): void {
    session.lastSeq = seq;
    session.lastRequest = datagram.slice();
    session.heardAt = now;
    session.answer = undefined;
  }

  #onRepeat(session: ResponderSession, datagram: Uint8Array, now: Instant): Uint8Array | undefined {
    if (!equalConstantTime(datagram, session.lastRequest)) {
      if (session.state.name === "over") return this.#drop("unexpected");
      return this.#end(session, REASON.INVALID_PARAMETERS, now, false);
    }
    if (session.state.name !== "over") session.heardAt = now;
    if (session.answer) return session.answer;
    return session.state.name === "checked" ? session.wait(session.lastSeq, now) : undefined;
  }

  #onPoll(session: ResponderSession, seq: number, now: Instant): Uint8Array | undefined {
    if (session.state.name === "over") return session.answer;
    if (session.state.name !== "comparing") return this.#drop("unexpected");
    session.heardAt = now;
    return session.wait(seq, now);
  }

  #onPeerAbort(session: ResponderSession, reason: number, now: Instant): undefined {
    if (session.state.name === "over" || session.state.name === "storing") return this.#drop("unexpected");
    this.#end(session, reason, now, false);
    session.answer = undefined;
    return undefined;
  }

  /** Ends an attempt without a bond. `tell`: nobody has just asked, so the ABORT goes out by itself, three times. */
  #end(session: ResponderSession, reason: number, now: Instant, tell: boolean): Uint8Array {
    const counted = session.active;
    const bytes = session.abort(reason);
    session.heardAt = now;
    if (tell)
      for (const wait of ABORT_AFTER_MS) this.#late.push({ at: now + wait, datagram: { bytes, to: session.from } });
    if (counted) {
      const { peerName, pid } = session;
      this.#events.push({ type: "failed", id: toHex(pid), peerName, error: errorForReason(reason) });
      if (this.#window.fail(now)) this.#events.push({ type: "windowClosed", reason: "tooManyTries" });
    }
    return bytes;
  }

  #active(): ResponderSession | undefined {
    for (const session of this.#sessions.values()) if (session.active) return session;
    return undefined;
  }

  /** Strangers may fill a few places at most: the oldest gives way. */
  #makeRoom(): void {
    for (const [name, most] of [
      ["offered", MAX_OFFERED],
      ["over", MAX_OVER],
    ] as const) {
      const found = [...this.#sessions].filter(([, session]) => session.state.name === name);
      for (const [id] of found.slice(0, Math.max(0, found.length - most + 1))) this.#sessions.delete(id);
    }
  }

  #drop(reason: keyof ResponderDrops): undefined {
    this.drops[reason]++;
    return undefined;
  }
}

function featuresOf(bytes: Uint8Array): Features | undefined {
  try {
    return decodeFeatures(bytes, false);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
