import { equalConstantTime } from "#kernel/bytes.js";
import { type FileStat, type Folder, FolderError, type Skipped } from "./folder.js";
import type { FolderIndex, IndexEntry } from "./folderIndex.js";
import { type FileRecord, NO_HASH } from "./record.js";
import type { RelativePath } from "./relativePath.js";
import { bumpVersion, type VersionVector } from "./versionVector.js";

const NEVER: VersionVector = new Map();

/** Where the index is kept. */
export interface IndexStore {
  save(index: FolderIndex): Promise<void>;
}

/** One folder with its index: everything that changes either goes through here. Several sessions may share it. */
export class SharedFolder {
  readonly folder: Folder;
  readonly index: FolderIndex;
  readonly device: string;
  readonly #store: IndexStore;
  readonly #wall: () => number;
  readonly #busy = new Map<RelativePath, Promise<unknown>>();
  readonly #listeners = new Set<() => void>();
  #scanning: Promise<Skipped[]> | undefined;

  /** `device`: this device's id, 16 hex digits. */
  constructor(input: {
    readonly folder: Folder;
    readonly index: FolderIndex;
    readonly store: IndexStore;
    readonly device: string;
    /** Milliseconds since 1970. */
    readonly wall: () => number;
  }) {
    this.folder = input.folder;
    this.index = input.index;
    this.device = input.device;
    this.#wall = input.wall;
    this.#store = input.store;
  }

  /** Calls `listener` whenever records have changed. Returns the way to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  async save(): Promise<void> {
    if (!this.index.dirty) return;
    this.index.dirty = false;
    await this.#store.save(this.index);
  }

  /**
   * Brings the index up to date with the disk; hashes only what looks different. Returns what had to be left out.
   * Throws FolderError, FOLDER_VANISHED when everything is suddenly gone.
   */
  rescan(): Promise<Skipped[]> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  /** `yyyymmdd-hhmmss` of now, in UTC: for the names of conflict copies. */
  stamp(): string {
    const [date = "", time = ""] = new Date(this.#wall()).toISOString().split("T");
    return `${date.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}`;
  }

  /** Runs `work` while nobody else touches the path. */
  async exclusively<T>(path: RelativePath, work: () => Promise<T>): Promise<T> {
    const before = this.#busy.get(path) ?? Promise.resolve();
    const turn = before.then(work, work);
    const settled = turn.catch(() => {});
    this.#busy.set(path, settled);
    try {
      return await turn;
    } finally {
      if (this.#busy.get(path) === settled) this.#busy.delete(path);
    }
  }

  /** What the index says of the path, after looking whether the disk agrees. Call inside `exclusively`. */
  async refresh(path: RelativePath): Promise<IndexEntry | undefined> {
    const stat = await this.folder.stat(path);
    if (stat) await this.#onFile(path, stat);
    else this.#onMissing(path);
    return this.index.get(path);
  }

  async #scan(): Promise<Skipped[]> {
    const skipped: Skipped[] = [];
    const seen = new Set<RelativePath>();
    const before = this.index.sequence;
    for await (const { path, stat } of this.folder.scan((each) => skipped.push(each))) {
      seen.add(path);
      await this.exclusively(path, () => this.#onFile(path, stat));
    }
    if (seen.size === 0 && this.index.files > 0 && skipped.length === 0 && !(await this.folder.isOurs()))
      throw new FolderError(
        "FOLDER_VANISHED",
        "The shared folder is suddenly empty. Is its disk connected? Nothing was deleted elsewhere.",
      );
    const hidden = skipped.map(({ path }) => path);
    for (const [path, { record }] of [...this.index.entries()]) {
      // What could not be looked at is not gone.
      if (record.deleted || seen.has(path) || hidden.some((each) => path.startsWith(each))) continue;
      await this.exclusively(path, () => this.refresh(path));
    }
    if (this.index.sequence !== before) this.changed();
    await this.save();
    return skipped;
  }

  async #onFile(path: RelativePath, stat: FileStat): Promise<void> {
    const entry = this.index.get(path);
    if (
      entry?.stat &&
      !entry.record.deleted &&
      looksSame(entry.stat, stat) &&
      entry.record.executable === stat.executable
    )
      return;
    const hashed = await this.folder.hash(path);
    if (!hashed) return; // being written, or unreadable: the next scan looks again
    const known = entry?.record;
    const { hash, stat: now } = hashed;
    if (known && !known.deleted && equalConstantTime(known.hash, hash) && known.executable === now.executable) {
      this.index.setStat(path, now);
      return;
    }
    const version = bumpVersion(known?.version ?? NEVER, this.device, this.#wall());
    const { size, mtimeMs, executable } = now;
    this.index.set({ path, size, mtimeMs, executable, hash, version, deleted: false }, now);
  }

  #onMissing(path: RelativePath): void {
    const known = this.index.get(path)?.record;
    if (!known || known.deleted) return;
    const version = bumpVersion(known.version, this.device, this.#wall());
    const gone: FileRecord = { ...known, size: 0, executable: false, hash: NO_HASH, version, deleted: true };
    this.index.set(gone, undefined);
  }
}

function looksSame(a: { size: number; mtimeMs: number; inode: number }, b: FileStat): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.inode === b.inode;
}
