import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as setTimer } from "node:timers";
import { setTimeout } from "node:timers/promises";
import type { PeerSession } from "#device/channel.js";
import type { ByteStream } from "#kernel/ports.js";
import { FolderError } from "#sync/folder.js";
import { DiskFolder } from "#sync/folder.node.js";
import { IndexFile } from "#sync/indexStore.node.js";
import type { SyncMode } from "#sync/messages.js";
import { SharedFolder } from "#sync/sharedFolder.js";
import type { SyncEvent } from "#sync/syncEvents.js";
import { SyncSession } from "#sync/syncSession.js";
import { watchFolder } from "#sync/watch.node.js";
import type { CliEvent } from "./events.js";
import type { Screen } from "./screen.node.js";
import { bar, count, printable, size } from "./words.js";

/** The folder of this command: index, watcher, and what the person reads about it. */
export class FolderSync {
  readonly root: string;
  readonly #screen: Screen;
  readonly #shared: SharedFolder;
  readonly #watcher: ReturnType<typeof watchFolder>;
  readonly #told = new Set<string>();
  /** The first look through the folder. */
  readonly #scanned: Promise<void>;
  conflicts = 0;

  private constructor(shared: SharedFolder, root: string, screen: Screen, onBroken: (error: unknown) => void) {
    this.root = root;
    this.#screen = screen;
    this.#shared = shared;
    this.#scanned = this.#rescan();
    this.#scanned.catch(onBroken);
    const look = (paths?: readonly string[]): void => void this.#rescan(paths).catch(onBroken);
    this.#watcher = watchFolder(root, look);
    // What changed before the watcher was there is not in its events.
    void this.#watcher.ready.then(() => look());
  }

  /** `folder` was opened before. `onBroken`: the folder cannot be used any longer. */
  static async open(input: {
    readonly folder: DiskFolder;
    readonly state: string;
    readonly device: string;
    readonly screen: Screen;
    readonly onBroken: (error: unknown) => void;
  }): Promise<FolderSync> {
    const { folder, state, device, screen, onBroken } = input;
    const key = createHash("sha256")
      .update(await realpath(folder.root))
      .digest("hex")
      .slice(0, 16);
    const store = new IndexFile(join(state, "folders", `${key}.index`));
    const index = await store.load();
    const shared = new SharedFolder({ folder, index, store, device, wall: () => Date.now() });
    return new FolderSync(shared, folder.root, screen, onBroken);
  }

  /**
   * Keeps the folder in step over one stream until the peer ends it or `signal` aborts.
   * `until`: true when this was all that was wanted; the stream is then ended in order.
   */
  async run(
    peer: PeerSession,
    stream: ByteStream,
    options: { readonly mode: SyncMode; readonly signal: AbortSignal; readonly once?: boolean },
  ): Promise<void> {
    const { mode, signal, once = false } = options;
    await this.#scanned;
    // The watcher is a hint and waits a second: what was saved just now counts as well.
    await this.#rescan();
    const watch = new SyncProgress(this, peer, this.#screen);
    const session: SyncSession = new SyncSession({
      ...{ stream, mode, shared: this.#shared, peer: peer.device },
      wait: (ms, signal) => setTimeout(ms, undefined, { signal }),
      onEvent: (event) => {
        watch.on(event);
        if (event.type === "synced" && once) void session.end().catch(() => {});
      },
    });
    try {
      await session.run(signal);
    } finally {
      watch.tellFiles();
    }
  }

  /** Says each thing that was left out only once. */
  skipped(path: string, reason: string): void {
    const key = `${path}\n${reason}`;
    if (this.#told.has(key) || this.#told.size > 1000) return;
    this.#told.add(key);
    this.#screen.event({ event: "skipped", path, reason });
    this.#screen.say(`Left out: ${printable(path)}: ${printable(reason)}`);
  }

  async close(): Promise<void> {
    this.#watcher.close();
    await this.#scanned.catch(() => {});
    await this.#shared.save();
  }

  async #rescan(paths?: readonly string[]): Promise<void> {
    for (const { path, reason } of await this.#shared.rescan(paths)) this.skipped(path, reason);
  }
}

/**
 * The folder with our own `.handfast` in it, by which an empty folder is told from a disk that is not connected.
 * A folder that is only sent may be one that we cannot write to.
 */
export async function openFolder(path: string, mode: SyncMode): Promise<DiskFolder> {
  try {
    return await DiskFolder.open(path, { writable: true });
  } catch (error) {
    if (mode !== "send" || !(error instanceof FolderError) || error.code !== "FOLDER_UNREADABLE") throw error;
    return await DiskFolder.open(path, { writable: false });
  }
}

/** So long may the word of a file wait for others. */
const FILES_MS = 50;

/** Turns the events of one sync into lines. */
class SyncProgress {
  readonly #folder: FolderSync;
  readonly #peer: PeerSession;
  readonly #screen: Screen;
  #since = performance.now();
  #sent = { files: 0, bytes: 0 };
  /** Not told yet: thousands of files a second are told of together. */
  readonly #files: CliEvent[] = [];
  #telling: NodeJS.Timeout | undefined;

  constructor(folder: FolderSync, peer: PeerSession, screen: Screen) {
    this.#folder = folder;
    this.#peer = peer;
    this.#screen = screen;
  }

  on(event: SyncEvent): void {
    const { device } = this.#peer;
    if (event.type !== "sent" && event.type !== "received") this.tellFiles();
    switch (event.type) {
      case "progress": {
        const { files, totalFiles, bytes, totalBytes } = event;
        this.#screen.event({ event: "progress", device, files, totalFiles, bytes, totalBytes });
        this.#screen.progress(
          `  ${bar(bytes, totalBytes, 24)}  ${files} of ${count(totalFiles, "file")}, ${size(bytes)} of ${size(totalBytes)}`,
        );
        break;
      }
      case "sent":
        this.#sent = { files: this.#sent.files + 1, bytes: this.#sent.bytes + event.bytes };
        this.#screen.progress(`  sent ${count(this.#sent.files, "file")}, ${size(this.#sent.bytes)}`);
        this.#onFile(event.path, "sent");
        break;
      case "received":
        this.#onFile(event.path, "received");
        break;
      case "conflict":
        this.#folder.conflicts++;
        this.#screen.event({ event: "conflict", path: event.path, copy: event.copy });
        this.#screen.say(`Two versions of ${printable(event.path)}: the other one is kept as ${printable(event.copy)}`);
        break;
      case "skipped":
        this.#folder.skipped(event.path, event.reason);
        break;
      case "paused":
        this.#screen.event({ event: "paused", reason: event.reason });
        this.#screen.say(event.reason);
        break;
      case "resumed":
        this.#screen.event({ event: "resumed" });
        this.#screen.say("Going on.");
        break;
      case "synced":
        this.#onSynced(event);
    }
  }

  tellFiles(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    if (this.#files.length > 0) this.#screen.event(...this.#files.splice(0));
  }

  #onFile(path: string, direction: "sent" | "received"): void {
    this.#files.push({ event: "file", device: this.#peer.device, path, direction });
    this.#telling ??= setTimer(() => this.tellFiles(), FILES_MS);
  }

  #onSynced({ files, bytes, sent, received }: Extract<SyncEvent, { type: "synced" }>): void {
    const { device, bond } = this.#peer;
    const seconds = Math.round(performance.now() - this.#since) / 1000;
    this.#screen.endProgress();
    this.#screen.event({ event: "synced", device, files, bytes, sent, received, seconds });
    const moved = sent > 0 ? `${sent} sent` : received > 0 ? `${received} received` : "nothing to do";
    this.#screen.result(
      `Up to date with "${printable(bond.name)}": ${count(files, "file")}, ${size(bytes)} (${moved})`,
    );
    this.#since = performance.now();
    this.#sent = { files: 0, bytes: 0 };
  }
}
