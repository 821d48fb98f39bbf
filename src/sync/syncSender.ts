import { equalConstantTime } from "#kernel/bytes.js";
import type { FileReader } from "./folder.js";
import type { MessageChannel } from "./messageChannel.js";
import { DATA_CHUNK, MAX_RECORDS, MAX_REQUESTS, type RequestEnd, type SyncMessage } from "./messages.js";
import type { FileRecord } from "./record.js";
import type { RelativePath } from "./relativePath.js";
import { type SharedFolder, wholeMs } from "./sharedFolder.js";
import type { SyncEvent } from "./syncEvents.js";

type Request = Extract<SyncMessage, { type: "request" }>;
/** Records in one message; small enough that none can exceed the largest message. */
const BATCH = Math.min(MAX_RECORDS, 400);

export interface SyncSenderOptions {
  readonly shared: SharedFolder;
  readonly channel: MessageChannel;
  /** The last of our sequence numbers that the peer has. */
  readonly from: number;
  readonly onEvent: (event: SyncEvent) => void;
  /** The peer has all we have, durably. */
  readonly onSettled: () => void;
}

/** Our side's changes on their way to the peer: tells what we have, serves what is asked for. */
export class SyncSender {
  readonly #options: SyncSenderOptions;
  /** Requests being served; false once the peer has cancelled one. */
  readonly #serving = new Map<number, boolean>();
  #announced: number;
  #greeted = false;
  #applied: number | undefined;
  #announcing: Promise<void> = Promise.resolve();
  /** Files sent since the last call of `takeSent`, each once however often it was asked for. */
  readonly #sent = new Set<RelativePath>();

  constructor(options: SyncSenderOptions) {
    this.#options = options;
    this.#announced = options.from;
  }

  get settled(): boolean {
    return this.#applied !== undefined && this.#applied >= this.#options.shared.index.sequence;
  }

  /** Files sent since the last call. */
  takeSent(): number {
    const sent = this.#sent.size;
    this.#sent.clear();
    return sent;
  }

  /** Tells the peer what is new since the last time; the first time also when that is nothing. */
  announce(): Promise<void> {
    this.#announcing = this.#announcing.then(() => this.#announceAll());
    return this.#announcing;
  }

  onApplied(sequence: number): void {
    this.#applied = Math.max(this.#applied ?? 0, Math.min(sequence, this.#announced));
    if (this.settled) this.#options.onSettled();
  }

  /** Serves it beside the others. False when the peer asks for more at once than it may. */
  onRequest(request: Request, onError: (error: unknown) => void): boolean {
    if (this.#serving.size >= MAX_REQUESTS || this.#serving.has(request.id)) return false;
    this.#serving.set(request.id, true);
    this.#serve(request)
      .finally(() => this.#serving.delete(request.id))
      .catch(onError);
    return true;
  }

  onCancel(id: number): void {
    if (this.#serving.has(id)) this.#serving.set(id, false);
  }

  async #announceAll(): Promise<void> {
    const { shared, channel } = this.#options;
    // What the peer knows of us must survive a crash here, or its numbers would mean something else.
    const { sequence } = shared.index;
    await shared.save();
    // What was set during the save is not durable yet; it is announced by its own change.
    const entries = shared.index.since(this.#announced).filter((entry) => entry.sequence <= sequence);
    for (let at = 0; !this.#greeted || at < entries.length; at += BATCH) {
      this.#greeted = true;
      const batch = entries.slice(at, at + BATCH);
      const more = at + BATCH < entries.length;
      this.#announced = Math.max(this.#announced, batch.at(-1)?.sequence ?? 0);
      const records = batch.map(({ record }) => record);
      await channel.send({ type: "index", records, sequence: this.#announced, more });
    }
  }

  async #serve(request: Request): Promise<void> {
    const { shared, channel, onEvent } = this.#options;
    const status = await this.#sendFile(request);
    // The new record must be on its way before the peer can believe that it has everything.
    if (status !== "ok" && this.#serving.get(request.id)) await this.#lookAgain(request);
    if (status === "ok" && !this.#sent.has(request.path)) {
      this.#sent.add(request.path);
      onEvent({ type: "sent", path: request.path, bytes: shared.index.get(request.path)?.record.size ?? 0 });
    }
    await channel.send({ type: "end", id: request.id, status });
  }

  async #lookAgain({ path }: Request): Promise<void> {
    const { shared, onEvent } = this.#options;
    const before = shared.index.sequence;
    try {
      await shared.exclusively(path, () => shared.refresh(path));
    } catch (error) {
      onEvent({ type: "skipped", path, reason: `cannot be read (${(error as { code?: string }).code ?? "error"})` });
    }
    if (shared.index.sequence !== before) shared.changed();
  }

  async #sendFile(request: Request): Promise<RequestEnd> {
    const { folder, index } = this.#options.shared;
    const record = index.get(request.path)?.record;
    // Only what the index offers, and only the content that was offered, ever leaves.
    if (!record || record.deleted || !equalConstantTime(record.hash, request.hash)) return "changed";
    const reader = await folder.open(request.path).catch(() => undefined);
    if (!reader) return "gone";
    try {
      const before = await reader.stat();
      if (before.size !== record.size) return "changed";
      if (!(await this.#sendContent(reader, request, record))) return "changed";
      return wholeMs(await reader.stat()) === wholeMs(before) ? "ok" : "changed";
    } catch (error) {
      // An error of this file; one of the connection shows at the next message.
      if (typeof (error as { code?: unknown }).code === "string") return "gone";
      throw error;
    } finally {
      await reader.close();
    }
  }

  /** False when it was cancelled, or the file is shorter than it was. */
  async #sendContent(reader: FileReader, { id, offset }: Request, { size }: FileRecord): Promise<boolean> {
    for (let at = offset; at < size; ) {
      if (!this.#serving.get(id)) return false;
      const bytes = await reader.read(at, Math.min(DATA_CHUNK, size - at));
      if (bytes.length === 0) return false;
      const sent = this.#options.channel.send({ type: "data", id, bytes });
      at += bytes.length;
      // Waits while the stream is full, so that a large file is never in memory. The last piece travels with its `end`, which
      // fails as it does.
      if (at < size) await sent;
      else sent.catch(() => {});
    }
    return true;
  }
}
