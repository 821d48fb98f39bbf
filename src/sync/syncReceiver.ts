import { equalConstantTime } from "#kernel/bytes.js";
import { WireError } from "#kernel/errors.js";
import { Gate } from "#kernel/gate.js";
import { FolderError, type Incoming } from "./folder.js";
import type { MessageChannel } from "./messageChannel.js";
import type { RequestEnd, SyncMessage } from "./messages.js";
import { plan } from "./plan.js";
import type { FileRecord } from "./record.js";
import { conflictPath } from "./relativePath.js";
import type { SharedFolder } from "./sharedFolder.js";
import type { SyncEvent } from "./syncEvents.js";
import { mergeVersions } from "./versionVector.js";

const PARALLEL = 16;
const MAX_PENDING = 1_000_000;
const FULL_WAIT_MS = 10_000;

interface Fetch {
  readonly incoming: Incoming;
  readonly finish: (status: RequestEnd) => void;
  readonly fail: (error: Error) => void;
  readonly size: number;
  received: number;
}

export interface SyncReceiverOptions {
  readonly shared: SharedFolder;
  readonly channel: MessageChannel;
  readonly peer: string;
  readonly peerIndexId: string;
  readonly onEvent: (event: SyncEvent) => void;
  readonly wait: (ms: number) => Promise<void>;
}

/** The peer's changes on their way here: plans, fetches, checks, makes durable, and only then says so. */
export class SyncReceiver {
  readonly #options: SyncReceiverOptions;
  readonly #pending: { readonly record: FileRecord; readonly sequence: number }[] = [];
  readonly #fetches = new Map<number, Fetch>();
  readonly #changed = new Gate();
  #running = 0;
  #nextId = 1;
  /** The peer has nothing newer than this. */
  #target: number | undefined;
  #told = -1;
  #done = { files: 0, bytes: 0, received: 0 };
  #total = { files: 0, bytes: 0 };
  #closed = false;

  constructor(options: SyncReceiverOptions) {
    this.#options = options;
  }

  onIndex(message: Extract<SyncMessage, { type: "index" }>): void {
    if (this.#pending.length + message.records.length > MAX_PENDING) throw new WireError("too many index records");
    for (const record of message.records) {
      this.#pending.push({ record, sequence: message.sequence });
      this.#total = { files: this.#total.files + 1, bytes: this.#total.bytes + record.size };
    }
    if (!message.more) this.#target = message.sequence;
    this.#changed.open();
  }

  /** Called in order with everything the peer sends for a request; waits for the disk. */
  async onData(id: number, bytes: Uint8Array): Promise<void> {
    const fetch = this.#fetches.get(id);
    if (!fetch) return;
    fetch.received += bytes.length;
    // More than was announced is a lie, and must not fill the disk.
    if (fetch.received > fetch.size) return fetch.finish("changed");
    try {
      await fetch.incoming.write(bytes);
    } catch (error) {
      fetch.fail(error as Error);
    }
  }

  onEnd(id: number, status: RequestEnd): void {
    this.#fetches.get(id)?.finish(status);
  }

  /** Works until `close`. Rejects when something happened that makes going on pointless. */
  async run(): Promise<void> {
    const workers = Array.from({ length: PARALLEL }, () => this.#work());
    await Promise.all([...workers, this.#report()]);
  }

  close(error: Error): void {
    this.#closed = true;
    for (const fetch of this.#fetches.values()) fetch.fail(error);
    this.#fetches.clear();
    this.#changed.open();
  }

  async #work(): Promise<void> {
    while (!this.#closed) {
      const next = this.#pending.shift();
      if (!next) {
        await this.#changed.wait();
        continue;
      }
      this.#running++;
      try {
        await this.#applyPatiently(next.record);
      } finally {
        this.#running--;
        this.#changed.open();
      }
    }
  }

  /** Tells the peer what is durable here, whenever there is nothing left to do. */
  async #report(): Promise<void> {
    const { shared, channel, onEvent, peer, peerIndexId } = this.#options;
    while (!this.#closed) {
      const target = this.#target;
      if (target === undefined || this.#pending.length > 0 || this.#running > 0 || target === this.#told) {
        await this.#changed.wait();
        continue;
      }
      shared.index.setPeer(peer, peerIndexId, target);
      await shared.save();
      if (target !== this.#target || this.#pending.length > 0 || this.#running > 0) continue;
      this.#told = target;
      const { files, bytes } = shared.index;
      const received = this.#done.received;
      this.#done = { files: 0, bytes: 0, received: 0 };
      this.#total = { files: 0, bytes: 0 };
      await channel.send({ type: "applied", sequence: target });
      onEvent({ type: "synced", files, bytes, sent: 0, received });
    }
  }

  /** A full disk is a pause, not an end. */
  async #applyPatiently(record: FileRecord): Promise<void> {
    for (;;) {
      try {
        await this.#options.shared.exclusively(record.path, () => this.#apply(record));
        this.#progress(record);
        return;
      } catch (error) {
        if (this.#closed) return;
        if (error instanceof FolderError && error.code === "DISK_FULL") {
          this.#options.onEvent({ type: "paused", reason: error.message });
          await this.#options.wait(FULL_WAIT_MS);
        } else if (error instanceof FolderError && error.code === "FOLDER_UNSAFE") {
          this.#options.onEvent({ type: "skipped", path: record.path, reason: error.message });
          return;
        } else throw error;
      }
    }
  }

  async #apply(record: FileRecord): Promise<void> {
    const { shared } = this.#options;
    const local = (await shared.refresh(record.path))?.record;
    switch (plan(local, record)) {
      case "keep":
        return;
      case "merge":
        return this.#takeVersion(record, local);
      case "trash":
        await shared.folder.trash(record.path);
        shared.index.set(record, undefined);
        return;
      case "fetch":
        return this.#fetch(record, record);
      case "conflict-ours":
        return this.#keepOursAside(record);
      case "conflict-theirs":
        return this.#fetchAside(record, local);
    }
  }

  #takeVersion(record: FileRecord, local: FileRecord | undefined): void {
    const { index } = this.#options.shared;
    const version = local ? mergeVersions(local.version, record.version) : record.version;
    index.set({ ...(local ?? record), version }, index.get(record.path)?.stat);
  }

  /** Theirs takes the name; ours lives on under the name of a conflict copy. PROTOCOL.md §4. */
  async #keepOursAside(record: FileRecord): Promise<void> {
    const { shared, onEvent } = this.#options;
    const copy = conflictPath(record.path, shared.device, shared.stamp());
    await shared.folder.rename(record.path, copy);
    onEvent({ type: "conflict", path: record.path, copy });
    await shared.exclusively(copy, () => shared.refresh(copy));
    await this.#fetch(record, record);
  }

  /** Ours keeps the name; theirs is stored beside it. */
  async #fetchAside(record: FileRecord, local: FileRecord | undefined): Promise<void> {
    const { shared, peer, onEvent } = this.#options;
    const copy = conflictPath(record.path, peer, shared.stamp());
    await shared.exclusively(copy, () => this.#fetch(record, { ...record, path: copy }));
    onEvent({ type: "conflict", path: record.path, copy });
    const entry = shared.index.get(record.path);
    if (local) shared.index.set({ ...local, version: mergeVersions(local.version, record.version) }, entry?.stat);
  }

  /** Gets the content of `wanted` and puts it where `target` says. What changed meanwhile comes again by itself. */
  async #fetch(wanted: FileRecord, target: FileRecord): Promise<void> {
    const { shared, onEvent } = this.#options;
    const incoming = await shared.folder.receive(target.path);
    try {
      const here = await this.#copyLocally(wanted, incoming);
      if (!here && !(await this.#request(wanted, incoming))) {
        await incoming.discard();
        return;
      }
      if (!equalConstantTime(incoming.digest(), wanted.hash))
        throw new WireError("a file that is not what was announced");
      const stat = await incoming.commit({ mtimeMs: wanted.mtimeMs, executable: wanted.executable });
      shared.index.set(target, stat);
      this.#done.received += here ? 0 : 1;
      onEvent({ type: "received", path: target.path, bytes: here ? 0 : wanted.size });
    } catch (error) {
      await incoming.discard();
      throw error;
    }
  }

  /** A file that was only moved or copied need not travel. */
  async #copyLocally(wanted: FileRecord, incoming: Incoming): Promise<boolean> {
    const { shared } = this.#options;
    const source = shared.index.withContent(wanted.hash);
    const reader = source === undefined ? undefined : await shared.folder.open(source);
    if (!reader) return false;
    try {
      const { size } = await reader.stat();
      if (size !== wanted.size) return false;
      for (let offset = 0; offset < size; ) {
        const bytes = await reader.read(offset, 1024 * 1024);
        if (bytes.length === 0) break;
        await incoming.write(bytes);
        offset += bytes.length;
      }
      if (!equalConstantTime(incoming.digest(), wanted.hash))
        throw new WireError("a local file changed while it was copied");
      return true;
    } finally {
      await reader.close();
    }
  }

  async #request(wanted: FileRecord, incoming: Incoming): Promise<boolean> {
    const id = this.#nextId++;
    const ended = new Promise<RequestEnd>((finish, fail) => {
      this.#fetches.set(id, { incoming, finish, fail, size: wanted.size, received: 0 });
    });
    ended.catch(() => {}); // awaited below, unless sending the request fails first
    try {
      await this.#options.channel.send({ type: "request", id, path: wanted.path, hash: wanted.hash, offset: 0 });
      return (await ended) === "ok";
    } finally {
      this.#fetches.delete(id);
    }
  }

  #progress(record: FileRecord): void {
    this.#done.files++;
    this.#done.bytes += record.size;
    const { files, bytes } = this.#done;
    const { files: totalFiles, bytes: totalBytes } = this.#total;
    this.#options.onEvent({ type: "progress", files, totalFiles, bytes, totalBytes, path: record.path });
  }
}
