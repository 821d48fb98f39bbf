import type { ReceiveSide } from "./receiveSide.js";
import type { SendSide } from "./sendSide.js";

/** RFC 9000 §2.1: bit 0 says who opened it (0: the initiator of the connection), bit 1 whether it goes one way only. */
export function isUnidirectional(id: number): boolean {
  return (id & 2) !== 0;
}

export function isOpenedByInitiator(id: number): boolean {
  return (id & 1) === 0;
}

const READ_CHUNK = 64 * 1024;
export const DEFAULT_PRIORITY = 5;
/** A writer that had to wait goes on, and is told so, when less than this is left to send. */
export const WRITE_LOW_WATER: number = 256 * 1024;

/** One stream of a connection. A unidirectional stream has only one half on each end. */
export class Stream {
  readonly id: number;
  readonly sending: SendSide | undefined;
  readonly receiving: ReceiveSide | undefined;
  /** 0 is the most urgent, 7 the least. */
  priority: number = DEFAULT_PRIORITY;
  /** The levels of the send queue it stands in, among all and among those that need no credit of the connection. */
  queuedAt: number | undefined;
  creditlessAt: number | undefined;
  readonly #onChange: (stream: Stream) => void;

  constructor(
    id: number,
    sending: SendSide | undefined,
    receiving: ReceiveSide | undefined,
    onChange: (stream: Stream) => void,
  ) {
    this.id = id;
    this.sending = sending;
    this.receiving = receiving;
    this.#onChange = onChange;
  }

  /** Bytes that wait to be sent for the first time: stop writing while this is large. */
  get unsent(): number {
    return this.sending?.unsent ?? 0;
  }

  /** Takes the bytes over; they must not be changed afterwards. False when the stream takes no more. */
  write(bytes: Uint8Array): boolean {
    if (!this.sending || this.sending.ended) return false;
    this.sending.write(bytes);
    this.#onChange(this);
    return true;
  }

  finish(): void {
    this.sending?.finish();
    this.#onChange(this);
  }

  /** Stops sending at once; the peer's reader sees `code`. */
  reset(code: number): void {
    this.sending?.reset(code);
    this.#onChange(this);
  }

  /** Tells the peer that nothing more will be read. */
  stop(code: number): void {
    this.receiving?.stop(code);
    this.#onChange(this);
  }

  /** The next bytes in order, or undefined: see `readState` for why. */
  read(): Uint8Array | undefined {
    const bytes = this.receiving?.read(READ_CHUNK);
    this.#onChange(this);
    return bytes;
  }

  /** "waiting": nothing yet; "ended": the peer's end was reached; "reset": the peer gave up; "stopped": we did. */
  get readState(): "data" | "waiting" | "ended" | "reset" | "stopped" {
    const side = this.receiving;
    if (!side) return "ended";
    if (side.stopped) return "stopped";
    if (side.resetCode !== undefined) return "reset";
    if (side.available > 0) return "data";
    return side.complete ? "ended" : "waiting";
  }

  /** Both halves are done: the stream can be forgotten. */
  get settled(): boolean {
    return (this.sending?.settled ?? true) && (this.receiving?.settled ?? true);
  }
}
