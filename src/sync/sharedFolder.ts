import { equalConstantTime } from "#kernel/bytes.js";
import { type FileStat, type Folder, FolderError, type Skipped } from "./folder.js";
import type { FolderIndex, IndexEntry, LocalStat } from "./folderIndex.js";
import { type FileRecord, MAX_TIME_MS, NO_HASH } from "./record.js";
import { isRelativePath, parseRelativePath, type RelativePath } from "./relativePath.js";
import { bumpVersion, type VersionVector } from "./versionVector.js";

const NEVER: VersionVector = new Map();
/** Files looked at at the same time. */
const PARALLEL = 8;
const HASH_TRIES = 3;
/** A file this young may be written again within the same tick of the disk's clock, which would not show. */
const RACY_MS = 100;

/** Where the index is kept. */
export interface IndexStore {
  /** Resolves when everything that has changed until now is durable. */
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
  #scanning: Promise<unknown> = Promise.resolve();
  #nextScan: Promise<Skipped[]> | undefined;

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
    this.index.numberFrom(this.#wall());
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
    await this.#store.save(this.index);
  }

  /**
   * Brings the index up to date with the disk; hashes only what looks different. `paths`: look at these files only, as
   * `watchFolder` names them. Returns what had to be left out. Throws FolderError, FOLDER_VANISHED when the folder is
   * suddenly not there or another one.
   */
  rescan(paths?: readonly string[]): Promise<Skipped[]> {
    if (paths) return this.#inTurn((skipped) => this.#look(paths, skipped));
    this.#nextScan ??= this.#inTurn((skipped) => {
      this.#nextScan = undefined;
      return this.#scan(skipped);
    });
    return this.#nextScan;
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

  /** Scans wait for one another: one that began before a change would not see it. */
  async #inTurn(work: (skipped: Skipped[]) => Promise<void>): Promise<Skipped[]> {
    const turn = this.#scanning.then(async () => {
      const skipped: Skipped[] = [];
      const before = this.index.sequence;
      await this.#mustBeOurs();
      await work(skipped);
      await this.save();
      if (this.index.sequence !== before) this.changed();
      return skipped;
    });
    this.#scanning = turn.catch(() => {});
    return await turn;
  }

  async #scan(skipped: Skipped[]): Promise<void> {
    const seen = new Set<RelativePath>();
    const found = this.folder.scan((each) => skipped.push(each));
    await inParallel(found, async ({ path, stat }) => {
      seen.add(path);
      await this.#unlessBusy(path, skipped, () => this.#onFile(path, stat));
    });
    // A disk can go while it is read; its files are not deleted.
    await this.#mustBeOurs();
    const hidden = skipped.map(({ path }) => path);
    const missing: RelativePath[] = [];
    for (const [path, { record }] of this.index.entries()) {
      // What could not be looked at is not gone.
      if (!record.deleted && !seen.has(path) && !hidden.some((each) => isBelow(path, each))) missing.push(path);
    }
    for (const path of missing) await this.#unlessBusy(path, skipped, () => this.refresh(path));
  }

  async #look(paths: readonly string[], skipped: Skipped[]): Promise<void> {
    await inParallel(paths, async (text) => {
      const path = parseRelativePath(text);
      if (isRelativePath(path)) await this.#unlessBusy(path, skipped, () => this.refresh(path));
      else skipped.push({ path: text, reason: `its name cannot be used everywhere: ${path.refused}` });
    });
  }

  /** A file that is being received is looked at by its receiver. */
  async #unlessBusy(path: RelativePath, skipped: Skipped[], work: () => Promise<unknown>): Promise<void> {
    if (this.#busy.has(path)) return;
    try {
      await this.exclusively(path, work);
    } catch (error) {
      skipped.push({ path, reason: whyNotRead(error) });
    }
  }

  /** An index that knows files belongs to a folder that holds our own folder, or at least one of those files. PROTOCOL.md §5. */
  async #mustBeOurs(): Promise<void> {
    if (await this.folder.isOurs()) return;
    if (this.index.files > 0 && !(await this.#holdsKnownFile()))
      throw new FolderError(
        "FOLDER_VANISHED",
        "The shared folder is suddenly empty, or another one. Is its disk connected? Nothing was deleted elsewhere.",
      );
    await this.folder.claim();
  }

  async #holdsKnownFile(): Promise<boolean> {
    for await (const { path } of this.folder.scan(() => {})) {
      const known = this.index.get(path);
      if (known && !known.record.deleted) return true;
    }
    return false;
  }

  async #onFile(path: RelativePath, stat: FileStat): Promise<void> {
    const entry = this.index.get(path);
    const known = entry?.record.deleted ? undefined : entry?.record;
    const executable = stat.executable ?? known?.executable ?? false;
    if (known && known.executable === executable && looksSame(entry?.stat, stat)) return;
    const hashed = await this.#hash(path);
    if (!hashed) return this.#onMissing(path);
    const { hash, stat: now } = hashed;
    const kept = this.#wall() - now.mtimeMs > RACY_MS ? now : undefined;
    if (known && equalConstantTime(known.hash, hash) && known.executable === executable) {
      this.index.setStat(path, kept);
      return;
    }
    const version = bumpVersion(entry?.record.version ?? NEVER, this.device, this.#wall());
    const mtimeMs = wholeMs(now);
    this.index.set({ path, size: now.size, mtimeMs, executable, hash, version, deleted: false, by: this.device }, kept);
  }

  /** Undefined when there is no file any more. */
  async #hash(path: RelativePath): Promise<{ hash: Uint8Array; stat: FileStat } | undefined> {
    for (let tries = 0; tries < HASH_TRIES; tries++) {
      const hashed = await this.folder.hash(path);
      if (hashed) return hashed;
      if (!(await this.folder.stat(path))) return undefined;
    }
    throw new FolderError("FILE_CHANGING", `${path} is being written; it follows when it rests.`);
  }

  #onMissing(path: RelativePath): void {
    const known = this.index.get(path)?.record;
    if (!known || known.deleted) return;
    const version = bumpVersion(known.version, this.device, this.#wall());
    const nothing = { size: 0, executable: false, hash: NO_HASH, deleted: true };
    this.index.set({ ...known, ...nothing, version, by: this.device } satisfies FileRecord, undefined);
  }
}

/** Whole milliseconds, as records have them. */
export function wholeMs(stat: LocalStat): number {
  return Math.min(MAX_TIME_MS, Math.max(0, Math.floor(stat.mtimeMs)));
}

function looksSame(a: LocalStat | undefined, b: LocalStat): boolean {
  if (!a || a.size !== b.size || a.inode !== b.inode) return false;
  return a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;
}

/** `hidden`: a file, or a folder with a slash at its end. */
function isBelow(path: string, hidden: string): boolean {
  return path === hidden || path.startsWith(hidden.endsWith("/") ? hidden : `${hidden}/`);
}

function whyNotRead(error: unknown): string {
  if (error instanceof FolderError) return error.message;
  const { code } = error as { readonly code?: unknown };
  if (typeof code === "string") return `cannot be read (${code})`;
  throw error;
}

async function inParallel<T>(items: AsyncIterable<T> | Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const running = new Set<Promise<void>>();
  const errors: unknown[] = [];
  for await (const item of items) {
    const one: Promise<void> = work(item)
      .catch((error: unknown) => void errors.push(error))
      .finally(() => running.delete(one));
    running.add(one);
    if (running.size >= PARALLEL) await Promise.race(running);
    if (errors.length > 0) break;
  }
  await Promise.all(running);
  if (errors.length > 0) throw errors[0];
}
