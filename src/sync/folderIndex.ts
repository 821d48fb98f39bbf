import { equalConstantTime } from "#kernel/bytes.js";
import { RecordCompactor } from "./compactRecord.js";
import type { FileRecord } from "./record.js";
import type { RelativePath } from "./relativePath.js";

/** How a file looked on this disk when its record was made: who looks the same was not changed. */
export interface LocalStat {
  readonly size: number;
  /** As exactly as the system tells. */
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly inode: number;
}

export interface IndexEntry {
  readonly record: FileRecord;
  /** Undefined: the next look at the file hashes it. */
  readonly stat: LocalStat | undefined;
  /** Order of changes on this device: peers ask for what came after the last one they know. */
  readonly sequence: number;
}

/** What this device knows of one shared folder. PROTOCOL.md §3. */
export class FolderIndex {
  /** Random; a new one means that the sequence numbers have begun anew. 32 hex digits. */
  readonly id: string;
  /** In the order of their sequence numbers. */
  readonly #entries = new Map<RelativePath, IndexEntry>();
  /** Paths by the beginning of their content's hash: what is here already need not be sent. */
  readonly #byHash = new Map<number, RelativePath>();
  /** Paths that exist, by their lower-case form; made when somebody asks. */
  #byLowerCase: Map<string, RelativePath> | undefined;
  /** Last sequence taken over from each peer's index: device id → index id and number. */
  readonly peers: Map<string, { readonly indexId: string; readonly sequence: number }> = new Map();
  readonly #unsaved = new Set<RelativePath>();
  #peersUnsaved = false;
  readonly #compactor = new RecordCompactor();
  #sequence = 0;
  #floor = 0;
  #files = 0;
  #bytes = 0;

  constructor(id: string) {
    this.id = id;
  }

  get sequence(): number {
    return this.#sequence;
  }

  /** Files that exist, and their bytes. */
  get files(): number {
    return this.#files;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Records, those of deleted files too. */
  get size(): number {
    return this.#entries.size;
  }

  get(path: RelativePath): IndexEntry | undefined {
    return this.#entries.get(path);
  }

  entries(): IterableIterator<[RelativePath, IndexEntry]> {
    return this.#entries.entries();
  }

  /** A path with this content, if there is one. */
  withContent(hash: Uint8Array): RelativePath | undefined {
    const path = this.#byHash.get(keyOf(hash));
    const found = path && this.#entries.get(path);
    return found && equalConstantTime(found.record.hash, hash) ? path : undefined;
  }

  /** A file whose name differs from `path` in nothing but case. */
  withOtherCase(path: RelativePath): RelativePath | undefined {
    this.#byLowerCase ??= this.#pathsByLowerCase();
    const found = this.#byLowerCase.get(path.toLowerCase());
    return found === path ? undefined : found;
  }

  /**
   * New sequence numbers are above `wallMs`, milliseconds since 1970: an index that came back from a backup does not give
   * numbers again that peers know already.
   */
  numberFrom(wallMs: number): void {
    this.#floor = Math.max(0, Math.floor(wallMs));
  }

  /** Sets a record; it gets the next sequence number unless an old one is being restored. */
  set(record: FileRecord, stat: LocalStat | undefined, sequence: number = this.#nextNumber()): void {
    const { path } = record;
    const old = this.#entries.get(path);
    if (old) this.#forget(old.record);
    if (!record.deleted) {
      this.#files++;
      this.#bytes += record.size;
      this.#byHash.set(keyOf(record.hash), path);
      this.#byLowerCase?.set(path.toLowerCase(), path);
    }
    // A new number goes to the end of the map.
    if (old?.sequence !== sequence) this.#entries.delete(path);
    this.#entries.set(path, { record: this.#compactor.compact(record), stat, sequence });
    this.#sequence = Math.max(this.#sequence, sequence);
    this.#unsaved.add(path);
  }

  /** The file was touched without being changed. */
  setStat(path: RelativePath, stat: LocalStat | undefined): void {
    const entry = this.#entries.get(path);
    if (!entry) return;
    this.#entries.set(path, { ...entry, stat });
    this.#unsaved.add(path);
  }

  setPeer(device: string, indexId: string, sequence: number): void {
    const known = this.peers.get(device);
    if (known?.indexId === indexId && known.sequence === sequence) return;
    this.peers.set(device, { indexId, sequence });
    this.#peersUnsaved = true;
  }

  /** Entries after `sequence`, in order. */
  since(sequence: number): IndexEntry[] {
    return [...this.#entries.values()].filter((entry) => entry.sequence > sequence);
  }

  /** What changed since the last call: for the one who stores it. */
  takeUnsaved(): { readonly entries: readonly IndexEntry[]; readonly peers: boolean } {
    const entries: IndexEntry[] = [];
    for (const path of this.#unsaved) {
      const entry = this.#entries.get(path);
      if (entry) entries.push(entry);
    }
    entries.sort((a, b) => a.sequence - b.sequence);
    const peers = this.#peersUnsaved;
    this.#unsaved.clear();
    this.#peersUnsaved = false;
    return { entries, peers };
  }

  #nextNumber(): number {
    return Math.max(this.#sequence, this.#floor) + 1;
  }

  #forget(record: FileRecord): void {
    if (record.deleted) return;
    this.#files--;
    this.#bytes -= record.size;
    const key = keyOf(record.hash);
    if (this.#byHash.get(key) === record.path) this.#byHash.delete(key);
    const lower = this.#byLowerCase && record.path.toLowerCase();
    if (lower !== undefined && this.#byLowerCase?.get(lower) === record.path) this.#byLowerCase.delete(lower);
  }

  #pathsByLowerCase(): Map<string, RelativePath> {
    const paths = new Map<string, RelativePath>();
    for (const [path, { record }] of this.#entries) if (!record.deleted) paths.set(path.toLowerCase(), path);
    return paths;
  }
}

/** The first six bytes as a number: a wrong guess is found out by the whole hash. */
function keyOf(hash: Uint8Array): number {
  let key = 0;
  for (let i = 0; i < 6; i++) key = key * 0x100 + (hash[i] ?? 0);
  return key;
}
