import type { FileRecord } from "./record.js";
import type { SyncProgress } from "./syncEvents.js";

/** Steps in one round, so that telling of them costs nothing. */
const STEPS = 200;

/** Counts the files of one round and says when it is worth telling. */
export class Progress {
  readonly #tell: (progress: SyncProgress) => void;
  #files = 0;
  #totalFiles = 0;
  #bytes = 0;
  #totalBytes = 0;
  #toldFiles = 0;
  #toldBytes = 0;

  constructor(tell: (progress: SyncProgress) => void) {
    this.#tell = tell;
  }

  expect(record: FileRecord): void {
    this.#totalFiles++;
    this.#totalBytes += record.size;
  }

  onBytes(record: FileRecord, bytes: number): void {
    this.#bytes += bytes;
    this.#step(record);
  }

  /** `counted`: bytes of it that `onBytes` has told already. */
  onFile(record: FileRecord, counted: number): void {
    this.#files++;
    this.#bytes += record.size - counted;
    this.#step(record);
  }

  /** The round is over. */
  reset(): void {
    this.#files = this.#totalFiles = this.#bytes = this.#totalBytes = this.#toldFiles = this.#toldBytes = 0;
  }

  #step({ path }: FileRecord): void {
    const files = this.#files;
    const last = files === this.#totalFiles;
    const enough =
      (files - this.#toldFiles) * STEPS >= this.#totalFiles && files > this.#toldFiles
        ? true
        : (this.#bytes - this.#toldBytes) * STEPS >= this.#totalBytes;
    if (!last && !enough) return;
    this.#toldFiles = files;
    this.#toldBytes = this.#bytes;
    this.#tell({ files, totalFiles: this.#totalFiles, bytes: this.#bytes, totalBytes: this.#totalBytes, path });
  }
}
