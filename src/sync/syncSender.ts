import { equalConstantTime } from "#kernel/bytes.js";
import type { FileReader, FileStat } from "./folder.js";
import type { MessageChannel } from "./messageChannel.js";
import { DATA_CHUNK, MAX_RECORDS, type RequestEnd, type SyncMessage } from "./messages.js";
import type { SharedFolder } from "./sharedFolder.js";
import type { SyncEvent } from "./syncEvents.js";

type Request = Extract<SyncMessage, { type: "request" }>;
/** Records in one message; small enough that none can exceed the largest message. */
const BATCH = Math.min(MAX_RECORDS, 400);
const MAX_QUEUED = 64;

/** Our side's changes on their way to the peer: tells what we have, serves what is asked for. */
export class SyncSender {
  readonly #shared: SharedFolder;
  readonly #channel: MessageChannel;
  readonly #onEvent: (event: SyncEvent) => void;
  readonly #requests: Request[] = [];
  #announced: number;
  #applied: number;
  #announcing: Promise<void> = Promise.resolve();
  #serving = false;
  #sentFiles = 0;
  #settledTold = false;

  /** `from`: the last of our sequence numbers that the peer has. */
  constructor(shared: SharedFolder, channel: MessageChannel, from: number, onEvent: (event: SyncEvent) => void) {
    this.#shared = shared;
    this.#channel = channel;
    this.#onEvent = onEvent;
    this.#announced = from;
    this.#applied = from;
  }

  /** The peer has all we have, durably. */
  get settled(): boolean {
    return this.#applied >= this.#shared.index.sequence;
  }

  /** Tells the peer what is new since the last time. The first call also when that is nothing. */
  announce(): Promise<void> {
    this.#announcing = this.#announcing.then(() => this.#announceAll());
    return this.#announcing;
  }

  onApplied(sequence: number): void {
    this.#applied = Math.max(this.#applied, Math.min(sequence, this.#announced));
    if (!this.settled) return;
    const { files, bytes } = this.#shared.index;
    if (this.#settledTold && this.#sentFiles === 0) return;
    this.#settledTold = true;
    this.#onEvent({ type: "synced", files, bytes, sent: this.#sentFiles, received: 0 });
    this.#sentFiles = 0;
  }

  /** False when the peer asks for more at once than it may. */
  onRequest(request: Request, onError: (error: unknown) => void): boolean {
    if (this.#requests.length >= MAX_QUEUED) return false;
    this.#requests.push(request);
    if (!this.#serving) {
      this.#serving = true;
      this.#serve().catch(onError);
    }
    return true;
  }

  async #announceAll(): Promise<void> {
    for (;;) {
      const { index } = this.#shared;
      const entries = index.since(this.#announced);
      const batch = entries.slice(0, BATCH);
      const sequence = batch.at(-1)?.sequence ?? index.sequence;
      const more = entries.length > batch.length;
      this.#announced = Math.max(this.#announced, sequence);
      await this.#channel.send({ type: "index", records: batch.map(({ record }) => record), sequence, more });
      if (!more) return;
    }
  }

  async #serve(): Promise<void> {
    try {
      for (let request = this.#requests.shift(); request; request = this.#requests.shift()) {
        const status = await this.#serveOne(request);
        await this.#channel.send({ type: "end", id: request.id, status });
      }
    } finally {
      this.#serving = false;
    }
  }

  async #serveOne(request: Request): Promise<RequestEnd> {
    const { folder, index } = this.#shared;
    const entry = index.get(request.path);
    // Only what the index offers, and only the content that was offered, ever leaves.
    if (!entry || entry.record.deleted || !equalConstantTime(entry.record.hash, request.hash)) return "changed";
    const reader = await folder.open(request.path);
    if (!reader) return "gone";
    try {
      const bytes = await this.#sendContent(reader, request);
      const unchanged = looksSame(await reader.stat(), entry.record.size, entry.stat?.mtimeMs);
      if (!unchanged) return "changed";
      this.#sentFiles++;
      this.#onEvent({ type: "sent", path: request.path, bytes });
      return "ok";
    } finally {
      await reader.close();
    }
  }

  async #sendContent(reader: FileReader, { id, offset }: Request): Promise<number> {
    let at = offset;
    for (;;) {
      const bytes = await reader.read(at, DATA_CHUNK);
      if (bytes.length === 0) return at - offset;
      // Waits while the stream is full, so that a large file is never in memory.
      await this.#channel.send({ type: "data", id, bytes });
      at += bytes.length;
    }
  }
}

function looksSame(stat: FileStat, size: number, mtimeMs: number | undefined): boolean {
  return stat.size === size && (mtimeMs === undefined || stat.mtimeMs === mtimeMs);
}
