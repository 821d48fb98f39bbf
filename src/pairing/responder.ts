import { toHex } from "#kernel/bytes.js";
import { unlessMalformed } from "#kernel/errors.js";
import { type Address, type Instant, type Machine, type OutgoingDatagram, sameAddress } from "#kernel/ports.js";
import { requireOwnFeatures } from "./features.js";
import { Invitation, type InvitationEvent } from "./invitation.js";
import { decodeMessage, type Message } from "./messages.js";
import { USER_MS } from "./models.js";
import { Outbox } from "./outbox.js";
import { requireSecret } from "./outOfBand.js";
import { errorForReason, PairingError, REASON } from "./reasons.js";
import { ResponderDoor } from "./responderDoor.js";
import type {
  CloseReason,
  HostChange,
  PairingResponderOptions,
  ResponderDrops,
  ResponderEvent,
  WindowOptions,
} from "./responderEvents.js";
import { ResponderSession } from "./responderSession.js";
import { expiryOf, ResponderSessions } from "./responderSessions.js";
import { onYes } from "./responderShared.js";
import { isActive, type ResponderMove, type ResponderState } from "./responderStates.js";
import { responderMove } from "./responderTable.js";
import { PairingWindow, WINDOW_ATTEMPTS, WINDOW_SECONDS } from "./window.js";

export type { PairingResponderOptions, ResponderDrops, ResponderEvent } from "./responderEvents.js";

/** The PC's side: answers, never asks. Silent unless a person has opened the window. PROTOCOL.md §3. */
export class PairingResponder implements Machine {
  readonly drops: ResponderDrops = { malformed: 0, closed: 0, cookie: 0, unexpected: 0 };
  readonly #options: PairingResponderOptions;
  readonly #window: PairingWindow;
  readonly #door: ResponderDoor;
  #invitation: Invitation | undefined;
  readonly #sessions = new ResponderSessions();
  readonly #outbox = new Outbox();
  readonly #events: ResponderEvent[] = [];

  constructor(options: PairingResponderOptions) {
    this.#options = options;
    requireOwnFeatures(options.identity);
    this.#window = new PairingWindow(options.attempts);
    this.#door = new ResponderDoor(options, this.#window);
  }

  get isOpen(): boolean {
    return this.#window.isOpen;
  }

  /** How many attempts are remembered: bounded by PROTOCOL.md §5. */
  get remembered(): number {
    return this.#sessions.size;
  }

  /** For display and tests: a name of PROTOCOL.md §3, undefined for an attempt that is not remembered. */
  stateOf(id: string): ResponderState["name"] | undefined {
    return this.#sessions.get(id)?.state.name;
  }

  /**
   * Lets strangers try, for a time and for so many failures. Only a person's local action calls this. Throws RangeError for a poor secret,
   * no time or no attempt; PairingError INSIST_NEEDED for letters after ten failures in a row, unless the person insists.
   */
  openWindow(options: WindowOptions, now: Instant): void {
    const { crypto, random } = this.#options;
    const {
      seconds = WINDOW_SECONDS,
      attempts = WINDOW_ATTEMPTS,
      method = { kind: "compare" },
      insist = false,
    } = options;
    if (!(seconds > 0 && attempts >= 1)) throw new RangeError("pairing: a window has a time and at least one attempt");
    if (method.kind === "secret") requireSecret(method.secret);
    const trusted = method.kind === "code" && !insist ? this.#window.untilInsisting : attempts;
    if (trusted === 0) throw new PairingError("INSIST_NEEDED");
    this.closeWindow(now);
    const counters = this.#window.open(seconds, Math.min(attempts, trusted), now);
    this.#door.keyPairs.next();
    this.#invitation = new Invitation(crypto, random, method);
    this.#events.push({ type: "persistAttempts", attempts: counters });
    this.#events.push({ type: "windowOpened", seconds, method: method.kind });
    this.#show(this.#invitation.renew());
  }

  /** The person closes it, or the machine is no longer where its person opened it. Both also end an attempt under way; a window that time closes lets it finish. */
  closeWindow(now: Instant, reason: "closed" | HostChange = "closed"): void {
    this.#close(reason);
    const session = this.#sessions.active();
    if (session && session.state.name !== "storing") this.#end(session, REASON.WITHDRAWN, now, true);
  }

  /** The person at this screen says yes to attempt `id`: the digits are the same, or the device may come in. */
  confirm(id: string): void {
    const session = this.#sessions.get(id);
    const move = session && onYes(session.context, session.state);
    if (session && move) this.#move(session, move);
  }

  reject(id: string, now: Instant): void {
    const session = this.#sessions.get(id);
    if (session?.active && session.state.name !== "storing")
      this.#end(session, REASON.NUMERIC_COMPARISON_FAILED, now, true);
  }

  /** The counters with attempt `id` in them are on disk. */
  attemptsPersisted(id: string, now: Instant): void {
    const session = this.#sessions.get(id);
    if (session?.state.name !== "counting") return;
    session.heardAt = now;
    this.#move(session, session.state.next);
  }

  /** The counters could not be stored: without them nothing may be revealed. */
  attemptsFailed(id: string, now: Instant): void {
    const session = this.#sessions.get(id);
    if (session?.state.name === "counting") this.#end(session, REASON.STORAGE_FAILED, now, true);
  }

  /** The bond is on disk: our identity may leave. */
  bondStored(id: string): void {
    const session = this.#sessions.get(id);
    if (session?.state.name !== "storing") return;
    const { peer, answer } = session.state;
    session.bond = true;
    this.#move(session, { to: { name: "over" }, answer });
    this.#events.push({ type: "persistAttempts", attempts: this.#window.succeed() });
    this.#events.push({ type: "done", id, peer });
    this.#close("success");
  }

  bondFailed(id: string, now: Instant): void {
    const session = this.#sessions.get(id);
    if (session?.state.name === "storing") this.#end(session, REASON.STORAGE_FAILED, now, true);
  }

  receive(datagram: Uint8Array, from: Address, now: Instant): void {
    const message = unlessMalformed(() => decodeMessage(datagram));
    if (!message) {
      this.drops.malformed++;
      return;
    }
    const session = this.#sessions.get(toHex(message.pid));
    const answer = session
      ? this.#onSession(session, message, datagram, from, now)
      : this.#onNew(message, datagram, from, now);
    if (!answer) return;
    // Sizes are chosen so that this never happens (PROTOCOL.md §2); a mistake there must not make us an amplifier.
    if (answer.length > datagram.length) this.#drop("unexpected");
    else this.#outbox.send({ bytes: answer, to: from });
  }

  tick(now: Instant): void {
    this.#outbox.tick(now);
    if (this.#window.expired(now)) this.#close("time");
    for (const session of this.#sessions) {
      if (session.aborted && now >= session.aborted.at) this.#end(session, session.aborted.reason, now, false);
      else if (now < expiryOf(session)) continue;
      else if (session.active) this.#end(session, REASON.TIMEOUT, now, true);
      else this.#sessions.delete(session);
    }
    if (this.isOpen) this.#door.keyPairs.next();
  }

  get deadline(): Instant | undefined {
    if (this.isOpen && !this.#door.keyPairs.isReady) return 0;
    const closing = this.#window.deadline ?? Number.POSITIVE_INFINITY;
    const earliest = Math.min(this.#sessions.deadline(), this.#outbox.deadline, closing);
    return Number.isFinite(earliest) ? earliest : undefined;
  }

  nextDatagram(): OutgoingDatagram | undefined {
    return this.#outbox.next();
  }

  nextEvent(): ResponderEvent | undefined {
    return this.#events.shift();
  }

  #onNew(message: Message, datagram: Uint8Array, from: Address, now: Instant): Uint8Array | undefined {
    const holder = this.#sessions.active();
    // Who else has a link is only found out by hearing them too; but who gives up may begin again without a false alarm.
    const busy = holder !== undefined && (this.#invitation?.kind !== "link" || holder.aborted !== undefined);
    const reception = this.#door.receive(message, datagram, from, now, { invitation: this.#invitation, busy });
    if ("drop" in reception) return this.#drop(reception.drop);
    if (!(reception instanceof ResponderSession)) return reception.answer;
    this.#sessions.add(reception);
    return reception.answer;
  }

  #onSession(
    session: ResponderSession,
    message: Message,
    datagram: Uint8Array,
    from: Address,
    now: Instant,
  ): Uint8Array | undefined {
    if (!sameAddress(session.context.from, from)) return this.#drop("unexpected");
    const reaction = session.react(message, datagram, now);
    if (reaction) {
      if ("drop" in reaction) return this.#drop(reaction.drop);
      return "refuse" in reaction ? this.#end(session, reaction.refuse, now, false) : reaction.answer;
    }
    const outcome = responderMove(session.context, session.state, message, datagram, this.#invitation?.passkey);
    if (!outcome) return this.#drop("unexpected");
    session.accept(message.seq, datagram, now);
    if ("refuse" in outcome) return this.#end(session, outcome.refuse, now, false);
    if (isActive(outcome.to) && !session.active) {
      const reason = this.#takeSlot(session, now);
      if (reason !== undefined) return this.#end(session, reason, now, false);
    }
    return this.#enter(session, outcome) ?? session.waitIfAsked(now);
  }

  /** One attempt at a time is shown to the person. A reason to refuse, or undefined. */
  #takeSlot(session: ResponderSession, now: Instant): number | undefined {
    const holder = this.#sessions.active();
    if (holder && session.context.outOfBand?.kind === "link") {
      // Two devices have proved that they know the link, so somebody has seen it: neither comes in.
      this.#close("linkUsedTwice");
      if (holder.state.name === "checked") this.#end(holder, REASON.LINK_USED_TWICE, now, true);
      return REASON.LINK_USED_TWICE;
    }
    if (holder) return REASON.BUSY;
    if (!this.#window.isOpen) return REASON.REPEATED_ATTEMPTS;
    this.#invitation?.taken();
    return undefined;
  }

  /** Enters the next state and says what it has to say; the answer, when there is one now. */
  #enter(session: ResponderSession, { to, answer, event }: ResponderMove): Uint8Array | undefined {
    session.enter(to);
    if (answer) session.answer = answer;
    if (to.name === "counting")
      this.#events.push({ type: "persistAttempts", attempts: this.#window.begin(), id: session.context.id });
    if (event?.type === "digits" || event?.type === "approve") session.userUntil = session.heardAt + USER_MS;
    if (event) this.#events.push(event);
    return answer;
  }

  /** The same without a request to answer: the answer that had to wait leaves now. */
  #move(session: ResponderSession, move: ResponderMove): void {
    const bytes = this.#enter(session, move);
    if (bytes) this.#outbox.send({ bytes, to: session.context.from });
  }

  /** Ends an attempt without a bond. `tell`: nobody has just asked, so the ABORT goes out by itself, three times. */
  #end(session: ResponderSession, reason: number, now: Instant, tell: boolean): Uint8Array {
    const counted = session.active;
    const { context, peerName } = session;
    const bytes = session.abort(reason);
    session.heard(now);
    if (tell) this.#outbox.sendThrice({ bytes, to: context.from }, now);
    if (!counted) return bytes;
    this.#events.push({ type: "failed", id: context.id, peerName, error: errorForReason(reason, context.model) });
    if (this.#window.fail(now)) this.#close("tooManyTries");
    else if (this.isOpen) this.#renew(now);
    return bytes;
  }

  /** Letters and links are good for one attempt. Whoever still holds the old ones has to begin again. */
  #renew(now: Instant): void {
    const event = this.#invitation?.renew();
    if (!event) return;
    const reason = event.type === "letters" ? REASON.CONFIRM_VALUE_FAILED : REASON.OOB_NOT_AVAILABLE;
    for (const session of this.#sessions.waiting()) this.#end(session, reason, now, false);
    this.#sessions.trim();
    this.#show(event);
  }

  #show(event: InvitationEvent | undefined): void {
    if (event) this.#events.push(event);
  }

  #close(reason: CloseReason): void {
    if (!this.#invitation) return;
    this.#window.close();
    this.#invitation.end();
    this.#invitation = undefined;
    this.#door.keyPairs.forget();
    // Attempts that were only offered must not outlive it, nor enter the next window without its waiting time.
    for (const session of this.#sessions.waiting()) this.#sessions.delete(session);
    this.#events.push({ type: "windowClosed", reason });
  }

  #drop(reason: keyof ResponderDrops): undefined {
    this.drops[reason]++;
    return undefined;
  }
}
