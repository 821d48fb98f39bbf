import { toHex } from "#kernel/bytes.js";
import type { FileRecord } from "./record.js";
import type { RelativePath } from "./relativePath.js";

/** How a file looked on this disk when its record was made: who looks the same was not changed. */
export interface LocalStat {
  readonly size: number;
  readonly mtimeMs: number;
  readonly inode: number;
}

export interface IndexEntry {
  readonly record: FileRecord;
  readonly stat: LocalStat | undefined;
  /** Order of changes on this device: peers ask for what came after the last one they know. */
  readonly sequence: number;
}

/** What this device knows of one shared folder. PROTOCOL.md §3. */
export class FolderIndex {
  /** Random; a new one means that the sequence numbers have begun anew. 32 hex digits. */
  readonly id: string;
  readonly #entries = new Map<RelativePath, IndexEntry>();
  /** Paths by content: what is here already need not be sent. */
  readonly #byHash = new Map<string, RelativePath>();
  /** Last sequence taken over from each peer's index: device id → index id and number. */
  readonly peers: Map<string, { readonly indexId: string; readonly sequence: number }> = new Map();
  #sequence = 0;
  #files = 0;
  #bytes = 0;
  /** Changed since it was last stored. */
  dirty = false;

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

  get(path: RelativePath): IndexEntry | undefined {
    return this.#entries.get(path);
  }

  entries(): IterableIterator<[RelativePath, IndexEntry]> {
    return this.#entries.entries();
  }

  /** A path with this content, if there is one. */
  withContent(hash: Uint8Array): RelativePath | undefined {
    return this.#byHash.get(toHex(hash));
  }

  /** Sets a record; it gets the next sequence number unless an old one is being restored. */
  set(record: FileRecord, stat: LocalStat | undefined, sequence: number = this.#sequence + 1): void {
    const old = this.#entries.get(record.path);
    if (old && !old.record.deleted) {
      this.#files--;
      this.#bytes -= old.record.size;
      const key = toHex(old.record.hash);
      if (this.#byHash.get(key) === record.path) this.#byHash.delete(key);
    }
    if (!record.deleted) {
      this.#files++;
      this.#bytes += record.size;
      this.#byHash.set(toHex(record.hash), record.path);
    }
    this.#entries.set(record.path, { record, stat, sequence });
    this.#sequence = Math.max(this.#sequence, sequence);
    this.dirty = true;
  }

  /** The file was touched without being changed. */
  setStat(path: RelativePath, stat: LocalStat): void {
    const entry = this.#entries.get(path);
    if (!entry) return;
    this.#entries.set(path, { ...entry, stat });
    this.dirty = true;
  }

  setPeer(device: string, indexId: string, sequence: number): void {
    this.peers.set(device, { indexId, sequence });
    this.dirty = true;
  }

  /** Entries after `sequence`, in order. */
  since(sequence: number): IndexEntry[] {
    return [...this.#entries.values()]
      .filter((entry) => entry.sequence > sequence)
      .sort((a, b) => a.sequence - b.sequence);
  }
}
