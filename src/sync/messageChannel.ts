import { concat } from "#kernel/bytes.js";
import { WireError } from "#kernel/errors.js";
import type { ByteStream } from "#kernel/ports.js";
import { decodeSyncMessage, MAX_MESSAGE, type SyncMessage, syncMessageParts } from "./messages.js";

const HEAD = 4;
/** Messages that wait together for the stream become one write, up to about so many bytes. */
const ENOUGH = 64 * 1024;

interface Batch {
  readonly frames: Uint8Array[];
  bytes: number;
  readonly written: Promise<void>;
}

/** Messages over one ordered stream: `u32 length | CBOR`. Holds at most one message of the peer's at a time. */
export class MessageChannel {
  readonly #stream: ByteStream;
  #buffer: Uint8Array = new Uint8Array(0);
  #sending: Promise<void> = Promise.resolve();
  /** Waits for what is being written, and takes more until then. */
  #batch: Batch | undefined;
  #ended: Promise<void> | undefined;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** Resolves when the stream has taken the message. Messages leave in the order of the calls; after `end` none does. */
  send(message: SyncMessage): Promise<void> {
    if (this.#ended) return Promise.resolve();
    const body = syncMessageParts(message);
    const length = body.reduce((sum, part) => sum + part.length, 0);
    const head = Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length);
    const batch = this.#batch && this.#batch.bytes < ENOUGH ? this.#batch : this.#begin();
    batch.frames.push(head, ...body);
    batch.bytes += HEAD + length;
    return batch.written;
  }

  /** The next message, or undefined after the peer's end. Throws WireError. */
  async receive(): Promise<SyncMessage | undefined> {
    const head = await this.#take(HEAD);
    if (!head) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = head;
    const length = a * 0x100_0000 + b * 0x1_0000 + c * 0x100 + d;
    if (length > MAX_MESSAGE) throw new WireError("a sync message is too large");
    const body = await this.#take(length);
    if (!body) throw new WireError("a sync message ends too early");
    return decodeSyncMessage(body);
  }

  /** Nothing more from us. A second call waits for the first. */
  end(): Promise<void> {
    this.#ended ??= this.#sending.then(() => this.#stream.end());
    return this.#ended;
  }

  reset(): void {
    this.#stream.reset(1);
  }

  #begin(): Batch {
    const frames: Uint8Array[] = [];
    const written = this.#sending.then(() => {
      if (this.#batch === batch) this.#batch = undefined;
      return this.#stream.write(concat(...frames));
    });
    const batch: Batch = { frames, bytes: 0, written };
    this.#batch = batch;
    this.#sending = written.catch(() => {});
    return batch;
  }

  async #take(length: number): Promise<Uint8Array | undefined> {
    const parts = [this.#buffer];
    let have = this.#buffer.length;
    while (have < length) {
      const bytes = await this.#stream.read();
      if (!bytes) {
        if (have > 0) throw new WireError("a sync message ends too early");
        return undefined;
      }
      parts.push(bytes);
      have += bytes.length;
    }
    const all = parts.length === 1 ? this.#buffer : concat(...parts);
    this.#buffer = all.subarray(length);
    return all.subarray(0, length);
  }
}
