import { AsyncQueue } from "#kernel/asyncQueue.js";
import { STREAM_CODE } from "./errors.js";
import { type SessionDoor, SessionStream } from "./sessionStream.js";
import type { Stream } from "./stream.js";

/** Streams of the peer that the application has not taken yet; further ones are refused. */
const MAX_UNACCEPTED = 256;

/** The streams of a session as the application holds them, found by what the connection calls them. */
export class SessionStreams {
  readonly #door: SessionDoor;
  readonly #open = new Map<Stream, SessionStream>();
  /** How to stop listening to the AbortSignals of streams that are over. */
  #signals: Map<Stream, () => void> | undefined;
  /** Those of the peer that nobody has taken yet, in order. */
  readonly incoming: AsyncQueue<SessionStream> = new AsyncQueue();

  constructor(door: SessionDoor) {
    this.#door = door;
  }

  /** Some were ended, and the peer has not got all of them. */
  get undelivered(): boolean {
    for (const { sending } of this.#open.keys()) if (sending?.ended && !sending.settled) return true;
    return false;
  }

  /** One that we have opened. When the signal aborts later, it is reset. */
  opened(stream: Stream, signal: AbortSignal | undefined): SessionStream {
    const wrapped = this.#wrap(stream);
    if (signal) this.#resetOnAbort(stream, wrapped, signal);
    return wrapped;
  }

  /** One that the peer has opened. */
  accept(stream: Stream): void {
    if (this.incoming.size < MAX_UNACCEPTED) {
      this.incoming.push(this.#wrap(stream));
      return;
    }
    // Streams that are opened and reset at once cost the peer nothing; here they would wait for ever.
    stream.reset(STREAM_CODE.REFUSED);
    stream.stop(STREAM_CODE.REFUSED);
  }

  /** There may be something to read, or room to write. */
  notify(stream: Stream): void {
    this.#open.get(stream)?.notify();
  }

  /** Nothing more will be heard of it. */
  settle(stream: Stream): void {
    this.#open.get(stream)?.settle();
    this.#open.delete(stream);
    this.#signals?.get(stream)?.();
    this.#signals?.delete(stream);
  }

  /** The session is over. */
  end(): void {
    for (const stream of this.#open.values()) {
      stream.notify();
      stream.settle();
    }
    for (const forget of this.#signals?.values() ?? []) forget();
    this.#signals = undefined;
    this.incoming.end();
  }

  #wrap(stream: Stream): SessionStream {
    const wrapped = new SessionStream(stream, this.#door);
    this.#open.set(stream, wrapped);
    return wrapped;
  }

  #resetOnAbort(stream: Stream, wrapped: SessionStream, signal: AbortSignal): void {
    const abort = (): void => wrapped.reset(STREAM_CODE.ABORTED);
    signal.addEventListener("abort", abort, { once: true });
    this.#signals ??= new Map();
    this.#signals.set(stream, () => signal.removeEventListener("abort", abort));
  }
}
