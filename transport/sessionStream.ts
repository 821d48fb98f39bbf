import { Gate } from "#kernel/gate.js";
import type { ByteStream } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import { SessionClosedError, StreamEndedError, StreamResetError } from "./sessionErrors.js";
import { type Stream, WRITE_LOW_WATER } from "./stream.js";
import { readableOf, writableOf } from "./webStreams.js";

const HIGH_WATER = 512 * 1024;

/** What a stream needs of its session. */
export interface SessionDoor {
  /** Something was written, read or ended: packets may have to leave. */
  wake(): void;
  readonly closeInfo: CloseInfo | undefined;
  /** Memory is short: nobody may write more than is sent. */
  readonly crowded: boolean;
}

/** How long one wait may last. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * One stream of a session, with three faces; use one of them.
 * Promises: `read`, `write`, `end`. Without promises: `tryRead`, `tryWrite` and `onChange`. Web streams: `readable`, `writable`.
 * Writers wait while 512 KiB are unsent (while anything is, when memory is short); the peer gets credit as bytes are read.
 */
export class SessionStream implements ByteStream, AsyncDisposable {
  /** Called when there may be something to read, room to write, or nothing any more. */
  onChange: (() => void) | undefined;
  readonly #stream: Stream;
  readonly #door: SessionDoor;
  readonly #changed = new Gate();
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;
  #closed: Promise<void> | undefined;
  #over = false;
  #resolveClosed: (() => void) | undefined;

  constructor(stream: Stream, door: SessionDoor) {
    this.#stream = stream;
    this.#door = door;
  }

  get id(): number {
    return this.#stream.id;
  }

  /** False on the peer's unidirectional streams. */
  get sends(): boolean {
    return this.#stream.sending !== undefined;
  }

  /** False on our own unidirectional streams. */
  get receives(): boolean {
    return this.#stream.receiving !== undefined;
  }

  /** 0 is the most urgent, 7 the least; 5 at first. */
  get priority(): number {
    return this.#stream.priority;
  }

  set priority(level: number) {
    this.#stream.priority = level;
  }

  /** Resolves, never rejects, when both halves are done with, or the session is over. */
  get closed(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      if (this.#over) resolve();
      else this.#resolveClosed = resolve;
    });
    return this.#closed;
  }

  /** The bytes must not be changed afterwards. Resolves when there is room for more. */
  async write(bytes: Uint8Array, options: WaitOptions = {}): Promise<void> {
    this.#take(bytes);
    if (!this.#full) return;
    while (this.#stream.unsent > (this.#door.crowded ? 0 : WRITE_LOW_WATER)) {
      await this.#changed.wait(options.signal);
      this.#throwIfDropped();
    }
  }

  /** False, and nothing is taken, while writers should wait; `onChange` tells when to try again. */
  tryWrite(bytes: Uint8Array): boolean {
    this.#throwIfDropped();
    if (this.#full) return false;
    this.#take(bytes);
    return true;
  }

  /** The next bytes, or undefined after the peer's end. */
  async read(options: WaitOptions = {}): Promise<Uint8Array | undefined> {
    for (;;) {
      const bytes = this.tryRead();
      if (bytes || this.#stream.readState === "ended") return bytes;
      await this.#changed.wait(options.signal);
    }
  }

  /** The next bytes, or undefined when there are none now; `ended` tells whether there will be more. */
  tryRead(): Uint8Array | undefined {
    // Delivered bytes are the reader's even when the session has ended since.
    const bytes = this.#stream.read();
    if (bytes) {
      this.#door.wake();
      return bytes;
    }
    const state = this.#stream.readState;
    if (state === "ended") return undefined;
    if (state === "stopped") throw new StreamEndedError("This stream is no longer read.");
    if (state === "reset") throw new StreamResetError(this.#stream.receiving?.resetCode ?? 0);
    if (this.#door.closeInfo) throw new SessionClosedError(this.#door.closeInfo);
    return undefined;
  }

  /** Everything the peer sent was read. */
  get ended(): boolean {
    return this.#stream.readState === "ended";
  }

  async end(): Promise<void> {
    this.#stream.finish();
    this.#door.wake();
    while (this.#stream.unsent > 0) {
      this.#throwIfDropped();
      await this.#changed.wait();
    }
  }

  /** Drops both halves at once. The peer sees `code`. */
  reset(code = 0): void {
    this.resetSending(code);
    this.stopReceiving(code);
  }

  /** Gives up what we send; the peer's reader sees `code`. */
  resetSending(code = 0): void {
    this.#stream.reset(code);
    this.#door.wake();
    this.notify();
  }

  /** Nothing more will be read; the peer is told to stop. */
  stopReceiving(code = 0): void {
    this.#stream.stop(code);
    this.#door.wake();
    this.notify();
  }

  /** What the peer sends, as a byte stream of the web (BYOB readers work). Built when first asked for. */
  get readable(): ReadableStream<Uint8Array> {
    this.#readable ??= readableOf(this);
    return this.#readable;
  }

  /** What we send, as a stream of the web. Chunks are copied. Built when first asked for. */
  get writable(): WritableStream<Uint8Array> {
    this.#writable ??= writableOf(this);
    return this.#writable;
  }

  /** Ends our half in order, and reads no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#door.closeInfo) return;
    this.stopReceiving();
    if (this.#stream.sending && !this.#stream.sending.ended) await this.end();
  }

  /** The session tells that there may be something to read, room to write, or nothing any more. */
  notify(): void {
    this.#changed.open();
    this.onChange?.();
  }

  /** The session tells that it will tell nothing more. */
  settle(): void {
    this.#over = true;
    this.#resolveClosed?.();
  }

  get #full(): boolean {
    return this.#stream.unsent >= (this.#door.crowded ? 1 : HIGH_WATER);
  }

  #take(bytes: Uint8Array): void {
    this.#throwIfDropped();
    if (!this.#stream.write(bytes)) throw new StreamEndedError("This stream takes no more bytes: its end was sent.");
    this.#door.wake();
  }

  #throwIfDropped(): void {
    if (this.#door.closeInfo) throw new SessionClosedError(this.#door.closeInfo);
    const code = this.#stream.sending?.resetCode;
    if (code !== undefined) throw new StreamResetError(code);
  }
}
