import { Duplex, type DuplexOptions } from "node:stream";
import type { Address, ByteStream } from "#kernel/ports.js";

/**
 * A stream as Node programs know it: works in `pipe`, `http.Agent`, `http.Server.emit("connection")` and tunnels.
 * The socket methods that Node's HTTP code calls exist and do nothing.
 * A peer that drops a stream, or goes away, is no reason to end the program: an error that nobody listens for is not thrown, `close` follows.
 */
export class StreamDuplex extends Duplex {
  readonly #stream: ByteStream;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;

  constructor(stream: ByteStream, peer?: Address) {
    super(sidesOf(stream));
    this.#stream = stream;
    this.remoteAddress = peer?.host;
    this.remotePort = peer?.port;
  }

  override emit(event: string | symbol, ...values: unknown[]): boolean {
    if (event === "error" && this.listenerCount("error") === 0) return false;
    return super.emit(event, ...values);
  }

  override _read(): void {
    this.#stream.read().then(
      (bytes) => this.push(bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : null),
      (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    // A Buffer's writer may reuse it after the callback, but the bytes are kept until they are acknowledged.
    this.#stream.write(new Uint8Array(chunk)).then(() => callback(), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#stream.end().then(() => callback(), callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { sends = true, receives = true } = this.#stream;
    if (error || (sends && !this.writableFinished) || (receives && !this.readableEnded)) this.#stream.reset();
    callback(error);
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

/** Node takes `readable` and `writable`; its types do not know of them. */
function sidesOf({
  sends = true,
  receives = true,
}: ByteStream): DuplexOptions & { readable: boolean; writable: boolean } {
  return { allowHalfOpen: true, readable: receives, writable: sends };
}
