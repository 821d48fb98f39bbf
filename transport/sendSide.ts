import type { ByteWriter } from "#kernel/varint.js";
import type { MemoryAccount } from "./memory.js";
import { SendBuffer } from "./sendBuffer.js";

/** A run of stream bytes for one packet. `fin`: the stream ends with it. */
export interface StreamRun {
  readonly offset: number;
  readonly length: number;
  readonly fin: boolean;
}

/** The sending half of a stream: RFC 9000 §3.1. */
export class SendSide {
  readonly #buffer = new SendBuffer();
  readonly #memory: MemoryAccount;
  #limit: number;
  #finished = false;
  #fin: "unsent" | "sent" | "acked" = "unsent";
  #reset: { readonly code: number; state: "due" | "sent" | "acked" } | undefined;

  /** `limit`: the peer's initial flow control limit for this stream, bytes. */
  constructor(limit: number, memory: MemoryAccount) {
    this.#limit = limit;
    this.#memory = memory;
  }

  /** Bytes written but never sent. */
  get unsent(): number {
    return this.#buffer.unsent;
  }

  get sent(): number {
    return this.#buffer.sent;
  }

  /** No more bytes are taken. */
  get ended(): boolean {
    return this.#finished || this.#reset !== undefined;
  }

  get resetCode(): number | undefined {
    return this.#reset?.code;
  }

  /** The peer has everything, or knows that it will not get it. */
  get settled(): boolean {
    return this.#reset ? this.#reset.state === "acked" : this.#fin === "acked" && this.#buffer.settled;
  }

  get resetDue(): boolean {
    return this.#reset?.state === "due";
  }

  /** All written bytes have been sent once. */
  get flushed(): boolean {
    return this.#buffer.unsent === 0;
  }

  write(bytes: Uint8Array): void {
    this.#buffer.write(bytes);
    this.#memory.change(bytes.length);
  }

  finish(): void {
    this.#finished = true;
  }

  /** Gives up: nothing more is sent or resent but the RESET_STREAM. Without effect once all was delivered. */
  reset(code: number): void {
    if (this.#reset || this.settled) return;
    this.#reset = { code, state: "due" };
    this.#finalSize = this.#buffer.sent;
    this.discard();
  }
  #finalSize = 0;

  /** Keeps nothing of what was written: it will not be sent again. */
  discard(): void {
    this.#memory.change(-this.#buffer.kept);
    this.#buffer.clear();
  }

  /** Final size for RESET_STREAM. */
  get finalSize(): number {
    return this.#finalSize;
  }

  /** The limit that keeps new bytes from leaving, if one does. */
  get blockedAt(): number | undefined {
    const waits = !this.#reset && this.#buffer.unsent > 0 && this.#buffer.sent >= this.#limit;
    return waits ? this.#limit : undefined;
  }

  raiseLimit(limit: number): void {
    this.#limit = Math.max(this.#limit, limit);
  }

  /** True when a packet could carry something of this stream. `credit`: new bytes the connection may still send. */
  wantsToSend(credit: number): boolean {
    if (this.#reset) return false;
    if (this.#buffer.hasLost) return true;
    if (this.#finDue && this.#buffer.unsent === 0) return true;
    return this.#buffer.unsent > 0 && credit > 0 && this.#buffer.sent < this.#limit;
  }

  /** The next run of at most `room` bytes, of which at most `credit` were never sent. */
  next(room: number, credit: number): StreamRun | undefined {
    if (this.#reset) return undefined;
    const sent = this.#buffer.sent;
    const run = this.#buffer.next(room, Math.min(this.#limit, sent + credit));
    if (run) {
      const { offset, length } = run;
      return { offset, length, fin: this.#finished && offset + length === this.#buffer.written };
    }
    return this.#finDue && this.#buffer.unsent === 0 ? { offset: sent, length: 0, fin: true } : undefined;
  }

  /** Copies the run into the packet; returns how many of its bytes were never sent before. */
  copy(run: StreamRun, out: ByteWriter): number {
    const before = this.#buffer.sent;
    if (run.length > 0) this.#buffer.copy(run.offset, run.length, out);
    if (run.fin && this.#fin === "unsent") this.#fin = "sent";
    return this.#buffer.sent - before;
  }

  onAcked(run: StreamRun): void {
    if (this.#reset) return;
    const { kept } = this.#buffer;
    this.#buffer.onAcked(run.offset, run.length);
    if (this.#buffer.kept < kept) this.#memory.change(this.#buffer.kept - kept);
    if (run.fin) this.#fin = "acked";
  }

  onLost(run: StreamRun): void {
    if (this.#reset) return;
    this.#buffer.onLost(run.offset, run.length);
    if (run.fin && this.#fin === "sent") this.#fin = "unsent";
  }

  onResetSent(): void {
    if (this.#reset?.state === "due") this.#reset.state = "sent";
  }

  onResetAcked(): void {
    if (this.#reset) this.#reset.state = "acked";
  }

  onResetLost(): void {
    if (this.#reset?.state === "sent") this.#reset.state = "due";
  }

  get #finDue(): boolean {
    return this.#finished && this.#fin === "unsent";
  }
}
