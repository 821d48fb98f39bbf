import type { Crypto } from "#crypto/crypto.js";
import { hkdf } from "#crypto/hkdf.js";
import { AsyncQueue } from "#kernel/asyncQueue.js";
import { concat, utf8 } from "#kernel/bytes.js";
import { Emitter } from "#kernel/emitter.js";
import { Gate } from "#kernel/gate.js";
import type { Address, Clock } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import type { Connection } from "./connection.js";
import type { ConnectionEvent } from "./connectionEvents.js";
import type { ConnectionStats } from "./connectionStats.js";
import { STREAM_CODE } from "./errors.js";
import { SessionClosedError } from "./sessionErrors.js";
import { SessionStream, type WaitOptions } from "./sessionStream.js";
import type { Stream } from "./stream.js";

const FLUSH_MS = 2000;
/** Streams of the peer that the application has not taken yet; further ones are refused. */
const MAX_UNACCEPTED = 256;
const RESOLVED = Promise.resolve();

export interface SessionOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly crypto: Crypto;
  /** Makes the pump send what a command left to send. */
  readonly turn: () => void;
  /** The exporter secret of the first epoch, 32 bytes. */
  readonly exporter: Uint8Array;
  /** The device this session belongs to. */
  readonly peerId: string;
}

export interface OpenStreamOptions {
  /** 0 (urgent) to 7; 5 if not said. */
  readonly priority?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only we send on it. */
  readonly unidirectional?: boolean | undefined;
}

export interface SessionEvents {
  rekeyed: readonly [{ readonly epoch: number }];
  path: readonly [Address];
  /** The peer does not answer where it was; a fresh dial beside this session may find it. */
  suspect: readonly [];
  closed: readonly [CloseInfo];
}

/** One confirmed channel to one bonded device: what applications hold. */
export class Session extends Emitter<SessionEvents> implements AsyncDisposable {
  readonly peerId: string;
  /** Resolves, never rejects, when the session is over. */
  readonly closed: Promise<CloseInfo>;
  readonly #options: SessionOptions;
  readonly #connection: Connection;
  readonly #exporter: Uint8Array;
  readonly #streams = new Map<Stream, SessionStream>();
  /** How to stop listening to the AbortSignals of streams that are over. */
  #signals: Map<Stream, () => void> | undefined;
  readonly #incoming = new AsyncQueue<SessionStream>();
  readonly #changed = new Gate();
  #closeInfo: CloseInfo | undefined;
  #resolveClosed: (info: CloseInfo) => void = () => {};
  #wakePending = false;
  readonly #onWake = (): void => {
    this.#wakePending = false;
    this.#options.turn();
  };

  constructor(options: SessionOptions) {
    super();
    this.peerId = options.peerId;
    this.#options = options;
    this.#connection = options.connection;
    this.#exporter = options.exporter;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /** Set once the session is over. */
  get closeInfo(): CloseInfo | undefined {
    return this.#closeInfo;
  }

  /** Where the peer is now. */
  get path(): Address {
    return this.#connection.path;
  }

  get crowded(): boolean {
    return this.#connection.crowded;
  }

  /** A new stream; waits while the peer allows no more. When the signal aborts later, the stream is reset. */
  async openStream(options: OpenStreamOptions = {}): Promise<SessionStream> {
    const { signal, priority, unidirectional = false } = options;
    for (;;) {
      signal?.throwIfAborted();
      this.#throwIfClosed();
      const stream = this.#connection.openStream(unidirectional);
      if (stream) {
        if (priority !== undefined) stream.priority = priority;
        const wrapped = this.#wrap(stream);
        if (signal) this.#resetOnAbort(stream, wrapped, signal);
        return wrapped;
      }
      await this.#changed.wait(signal);
    }
  }

  /** Streams that the peer opens, in order. Ends with the session. */
  incomingStreams(): AsyncIterable<SessionStream> {
    return this.#incoming;
  }

  /**
   * Unreliable message; false when it is too large or the session is over. It may be lost, never torn or doubled.
   * `expires`: milliseconds from now after which it is thrown away if it has not left, because nobody wants it any more.
   */
  sendDatagram(bytes: Uint8Array, options: { readonly expires?: number } = {}): boolean {
    const { expires = Number.POSITIVE_INFINITY } = options;
    const sent = this.#connection.sendDatagram(bytes.slice(), this.#options.clock.now() + expires);
    this.wake();
    return sent;
  }

  get maxDatagramSize(): number {
    return this.#connection.maxDatagramSize;
  }

  /** Datagrams from the peer. Ends with the session. */
  async *datagrams(): AsyncGenerator<Uint8Array> {
    // They wait in the connection's bounded queue until somebody asks: the oldest are lost, memory is not.
    for (;;) {
      const bytes = this.#connection.receiveDatagram();
      if (bytes) yield bytes;
      else if (this.#closeInfo) return;
      else await this.#changed.wait();
    }
  }

  /** Fresh keys from a fresh handshake inside the channel; resolves when both ends use them. */
  async rekey(options: WaitOptions = {}): Promise<{ readonly epoch: number }> {
    this.#throwIfClosed();
    const before = this.stats().epoch;
    this.#connection.rekey();
    this.wake();
    for (;;) {
      const { epoch } = this.stats();
      if (epoch > before) return { epoch };
      this.#throwIfClosed();
      await this.#changed.wait(options.signal);
    }
  }

  /** `length` bytes that only the two ends of this session know, bound to `label` (RFC 5705's idea). */
  exportKey(label: string, length: number): Uint8Array {
    const info = concat(utf8("hf app "), utf8(label));
    return hkdf(this.#options.crypto, { salt: new Uint8Array(0), inputKey: this.#exporter, info, length });
  }

  stats(): ConnectionStats {
    return this.#connection.stats(this.#options.clock.now());
  }

  /** Sends what was written (for two seconds at most), then says goodbye. Resolves when the session is over. */
  async close(options: { readonly code?: number; readonly reason?: string } = {}): Promise<void> {
    if (!this.#closeInfo) {
      await this.#flush();
      this.#connection.close({ code: options.code ?? 0, reason: options.reason ?? "" }, this.#options.clock.now());
      this.wake();
    }
    await this.closed;
  }

  /** Says goodbye at once; what was written and not yet delivered is lost. */
  abort(reason = ""): void {
    this.#connection.close({ code: 0, reason }, this.#options.clock.now());
    this.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Drains the connection's events. Called by whoever drives the pump. */
  progress(): void {
    for (let event = this.#connection.nextEvent(); event; event = this.#connection.nextEvent()) this.#onEvent(event);
  }

  /** Lets the pump turn once for all commands of this moment. */
  wake(): void {
    if (this.#wakePending) return;
    this.#wakePending = true;
    // Node's queueMicrotask makes an AsyncResource each time, for ten times the price.
    void RESOLVED.then(this.#onWake);
  }

  #onEvent(event: ConnectionEvent): void {
    switch (event.type) {
      case "stream":
        this.#onIncoming(event.stream);
        break;
      case "readable":
      case "writable":
        this.#streams.get(event.stream)?.notify();
        break;
      case "settled":
        this.#unwrap(event.stream);
        break;
      case "rekeyed":
        this.emit("rekeyed", { epoch: event.epoch });
        break;
      case "path":
        this.emit("path", event.address);
        break;
      case "suspect":
        this.emit("suspect");
        break;
      case "closed":
        this.#onClosed(event.info);
        break;
      default:
    }
    this.#changed.open();
  }

  #onClosed(info: CloseInfo): void {
    this.#closeInfo = info;
    for (const stream of this.#streams.values()) stream.notify();
    for (const forget of this.#signals?.values() ?? []) forget();
    this.#signals = undefined;
    this.#incoming.end();
    this.#resolveClosed(info);
    this.emit("closed", info);
  }

  #onIncoming(stream: Stream): void {
    if (this.#incoming.size < MAX_UNACCEPTED) {
      this.#incoming.push(this.#wrap(stream));
      return;
    }
    // Streams that are opened and reset at once cost the peer nothing; here they would wait for ever.
    stream.reset(STREAM_CODE.REFUSED);
    stream.stop(STREAM_CODE.REFUSED);
  }

  #resetOnAbort(stream: Stream, wrapped: SessionStream, signal: AbortSignal): void {
    const abort = (): void => wrapped.reset(STREAM_CODE.ABORTED);
    signal.addEventListener("abort", abort, { once: true });
    this.#signals ??= new Map();
    this.#signals.set(stream, () => signal.removeEventListener("abort", abort));
  }

  #unwrap(stream: Stream): void {
    this.#streams.delete(stream);
    this.#signals?.get(stream)?.();
    this.#signals?.delete(stream);
  }

  #wrap(stream: Stream): SessionStream {
    const wrapped = new SessionStream(stream, this);
    this.#streams.set(stream, wrapped);
    return wrapped;
  }

  async #flush(): Promise<void> {
    let late = false;
    const cancel = this.#options.clock.schedule(FLUSH_MS, () => {
      late = true;
      this.#changed.open();
    });
    const unsettled = (): boolean =>
      [...this.#streams.keys()].some((stream) => stream.sending?.ended && !stream.sending.settled);
    while (!late && !this.#closeInfo && unsettled()) await this.#changed.wait();
    cancel();
  }

  #throwIfClosed(): void {
    if (this.#closeInfo) throw new SessionClosedError(this.#closeInfo);
  }
}
