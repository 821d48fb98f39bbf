import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import { ReceiveWindow } from "./flowControl.js";
import type { MemoryAccount } from "./memory.js";
import { Reassembly } from "./reassembly.js";

/** The receiving half of a stream: RFC 9000 §3.2. */
export class ReceiveSide {
  readonly window: ReceiveWindow;
  readonly #bytes = new Reassembly();
  readonly #memory: MemoryAccount;
  /** What the account says that we hold. */
  #charged = 0;
  #finalSize: number | undefined;
  #resetCode: number | undefined;
  #stopCode: number | undefined;
  #stopDue = false;
  #ended = false;

  constructor(window: number, maxWindow: number, memory: MemoryAccount) {
    this.window = new ReceiveWindow(window, maxWindow, memory.pool);
    this.#memory = memory;
  }

  /** The peer gave up with this code. */
  get resetCode(): number | undefined {
    return this.#resetCode;
  }

  /** We gave up reading, with this code. */
  get stopCode(): number | undefined {
    return this.#stopCode;
  }

  /** Bytes that can be read now. */
  get available(): number {
    return this.#bytes.available;
  }

  /** All was read, and the peer's end was seen by the reader. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Everything the peer will ever send is here. */
  get complete(): boolean {
    return this.#finalSize !== undefined && this.#bytes.contiguous === this.#finalSize;
  }

  get knowsSize(): boolean {
    return this.#finalSize !== undefined;
  }

  /** Nothing more will be received or read. */
  get settled(): boolean {
    // Who was told to stop may have sent all already: then no reset follows, and its end is as good.
    const unwanted = this.stopped && this.knowsSize;
    return this.#resetCode !== undefined || unwanted || (this.complete && this.#ended);
  }

  get stopDue(): number | undefined {
    return this.#stopDue && !this.knowsSize && this.#resetCode === undefined ? this.#stopCode : undefined;
  }

  /** True while the peer still needs credit from us. */
  get wantsCredit(): boolean {
    return this.#finalSize === undefined && this.#resetCode === undefined && this.window.updateDue;
  }

  /**
   * Returns how many bytes count anew against the connection's window. Throws TransportError.
   * When there is no memory for them they are not kept: the account counts that, and the peer must send them again.
   */
  onData(offset: number, data: Uint8Array, fin: boolean): number {
    const end = offset + data.length;
    this.#checkFinalSize(end, fin);
    if (this.#resetCode !== undefined) return 0;
    const fresh = this.window.onReceived(end);
    const wanted = !this.stopped && end > this.#bytes.contiguous;
    if (wanted && this.#memory.admits(Reassembly.cost(data.length))) {
      this.#bytes.insert(offset, data);
      this.#charge();
    }
    return fresh;
  }

  /** Returns how many bytes count anew against the connection's window. */
  onReset(code: number, finalSize: number): number {
    // Whole means that the FIN came as well: bytes up to where a peer gave up must never look like all of them.
    const whole = this.complete;
    this.#checkFinalSize(finalSize, true);
    const fresh = this.window.onReceived(finalSize);
    if (whole && !this.stopped) return fresh;
    this.#resetCode ??= code;
    this.#bytes.clear();
    this.#charge();
    return fresh;
  }

  /** Undefined: nothing now (or the end: see `ended`). `most`: pieces are joined up to this many bytes. */
  read(most: number): Uint8Array | undefined {
    const bytes = this.#bytes.take(most);
    if (bytes) {
      this.window.onConsumed(bytes.length);
      this.#charge();
    } else if (this.complete) this.#ended = true;
    return bytes;
  }

  /** The application does not want the rest. */
  stop(code: number): void {
    if (this.#stopCode !== undefined) return;
    this.#stopCode = code;
    this.#stopDue = true;
    this.#bytes.clear();
    this.#charge();
  }

  get stopped(): boolean {
    return this.#stopCode !== undefined;
  }

  onStopSent(): void {
    this.#stopDue = false;
  }

  onStopLost(): void {
    this.#stopDue = this.stopped;
  }

  /** Bytes that left our memory since the last call, read or thrown away: credit for the connection. */
  takeReleased(): number {
    const dropped = this.#resetCode !== undefined || this.stopped;
    const total = dropped ? this.window.highest : this.#bytes.consumed;
    const fresh = total - this.#released;
    this.#released = total;
    return fresh;
  }
  #released = 0;

  #charge(): void {
    const { held } = this.#bytes;
    this.#memory.change(held - this.#charged);
    this.#charged = held;
  }

  // RFC 9000 §4.5
  #checkFinalSize(end: number, final: boolean): void {
    const known = this.#finalSize;
    if (known !== undefined ? end > known || (final && end !== known) : final && end < this.window.highest)
      throw new TransportError(
        TRANSPORT_ERROR.FINAL_SIZE_ERROR,
        "The peer changed its mind about where a stream ends.",
      );
    if (final) this.#finalSize = end;
  }
}
