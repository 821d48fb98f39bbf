import { WireError } from "#kernel/errors.js";
import type { Incoming } from "./folder.js";
import type { MessageChannel } from "./messageChannel.js";
import type { RequestEnd } from "./messages.js";
import type { FileRecord } from "./record.js";

interface Fetch {
  readonly incoming: Incoming;
  readonly finish: (status: RequestEnd) => void;
  readonly fail: (error: Error) => void;
  readonly size: number;
  received: number;
}

/** The requests under way to one peer. PROTOCOL.md §2. */
export class Fetches {
  readonly #channel: MessageChannel;
  readonly #onBytes: (record: FileRecord, bytes: number) => void;
  readonly #fetches = new Map<number, Fetch & { readonly record: FileRecord }>();
  #nextId = 1;
  #closed: Error | undefined;

  /** `onBytes`: so many more bytes of a file have come; fewer than none when they come again. */
  constructor(channel: MessageChannel, onBytes: (record: FileRecord, bytes: number) => void) {
    this.#channel = channel;
    this.#onBytes = onBytes;
  }

  /** Asks for the content of `record` and writes it to `incoming`. Rejects when the disk or the connection fails. */
  async request(record: FileRecord, incoming: Incoming): Promise<RequestEnd> {
    if (this.#closed) throw this.#closed;
    const id = this.#nextId++;
    const ended = new Promise<RequestEnd>((finish, fail) => {
      this.#fetches.set(id, { record, incoming, finish, fail, size: record.size, received: 0 });
    });
    ended.catch(() => {}); // awaited below, unless sending the request fails first
    try {
      await this.#channel.send({ type: "request", id, path: record.path, hash: record.hash, offset: 0 });
      return await ended;
    } catch (error) {
      this.#onBytes(record, -(this.#fetches.get(id)?.received ?? 0));
      if (!this.#closed) await this.#channel.send({ type: "cancel", id });
      throw error;
    } finally {
      this.#fetches.delete(id);
    }
  }

  /** Called in order with everything the peer sends; waits for the disk. */
  async onData(id: number, bytes: Uint8Array): Promise<void> {
    const fetch = this.#fetches.get(id);
    if (!fetch) return; // cancelled
    // More than was announced is a lie, and must not fill the disk.
    if (fetch.received + bytes.length > fetch.size) throw new WireError("more of a file than was announced");
    try {
      await fetch.incoming.write(bytes);
      fetch.received += bytes.length;
      this.#onBytes(fetch.record, bytes.length);
    } catch (error) {
      fetch.fail(error as Error);
    }
  }

  onEnd(id: number, status: RequestEnd): void {
    this.#fetches.get(id)?.finish(status);
  }

  close(error: Error): void {
    this.#closed = error;
    for (const fetch of this.#fetches.values()) fetch.fail(error);
  }
}
