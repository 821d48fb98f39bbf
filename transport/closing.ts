import type { Instant } from "#kernel/ports.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import type { CloseFrame } from "./frames.js";

export interface CloseInfo {
  /** Undefined after an orderly close. */
  readonly error: TransportError | undefined;
  /** An application's code, or 0. */
  readonly code: number;
  readonly reason: string;
  /** The peer closed, or went away. */
  readonly remote: boolean;
}

/** Nobody closed it: it was no longer wanted, or never began. */
export const GIVEN_UP: CloseInfo = { error: undefined, code: 0, reason: "given up", remote: false };

/** The end of a connection: RFC 9000 §10.2. Closing repeats the frame to a peer that still talks, ever more seldom. */
export class Closing {
  #phase: "open" | "closing" | "draining" | "closed" = "open";
  #frame: CloseFrame | undefined;
  #info: CloseInfo | undefined;
  #until: Instant = Number.POSITIVE_INFINITY;
  #sendDue = false;
  #heard = 0;

  get open(): boolean {
    return this.#phase === "open";
  }

  /** Over and forgotten: nothing will be sent or received. */
  get over(): boolean {
    return this.#phase === "closed";
  }

  get info(): CloseInfo | undefined {
    return this.#info;
  }

  get deadline(): Instant | undefined {
    return this.#phase === "closing" || this.#phase === "draining" ? this.#until : undefined;
  }

  /** We close: `frame` is said to the peer for three probe timeouts. */
  start(frame: CloseFrame, error: TransportError | undefined, now: Instant, ptoMs: number): void {
    if (!this.open) return;
    this.#phase = "closing";
    this.#frame = frame;
    this.#info = { error, code: frame.application ? frame.code : 0, reason: frame.reason, remote: false };
    this.#until = now + 3 * ptoMs;
    this.#sendDue = true;
  }

  /** The peer closed: nothing is answered, late packets are swallowed for three probe timeouts. */
  onPeerClose(frame: CloseFrame, now: Instant, ptoMs: number): void {
    if (this.#phase === "draining" || this.over) return;
    const orderly = frame.application || frame.code === TRANSPORT_ERROR.NO_ERROR;
    const error = orderly
      ? undefined
      : new TransportError(frame.code, `The peer ended the connection: ${frame.reason || "no reason given"}`);
    this.#info ??= { error, code: frame.application ? frame.code : 0, reason: frame.reason, remote: true };
    this.#phase = "draining";
    this.#until = now + 3 * ptoMs;
  }

  /** Over at once, without a word: idle, reset, or given up. */
  abandon(error: TransportError): void {
    this.#info ??= { error, code: 0, reason: error.message, remote: true };
    this.#phase = "closed";
  }

  /** A packet arrived although we closed: answered after 1, 2, 4, 8… of them. */
  onPacketWhileClosing(): void {
    if (this.#phase !== "closing") return;
    this.#heard++;
    if ((this.#heard & (this.#heard - 1)) === 0) this.#sendDue = true;
  }

  /** The frame to send now, once. */
  take(): CloseFrame | undefined {
    if (!this.#sendDue || this.#phase !== "closing") return undefined;
    this.#sendDue = false;
    return this.#frame;
  }

  tick(now: Instant): void {
    if (now >= this.#until && !this.open) this.#phase = "closed";
  }
}
