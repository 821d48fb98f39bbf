import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "./disk.node.js";
import { FolderIndex } from "./folderIndex.js";
import { headLine, parseIndex, peersLine, recordLine } from "./indexText.js";
import type { IndexStore } from "./sharedFolder.js";

/** Lines that later ones have replaced, before the file is written anew. */
const MAX_STALE = 1000;
const LINES_PER_WRITE = 2000;

/** The index as a file of JSON lines: what changed is appended, and now and then all is replaced. PROTOCOL.md §5. */
export class IndexFile implements IndexStore {
  readonly #path: string;
  #saving: Promise<void> = Promise.resolve();
  /** Lines in the file; undefined when it must be written as a whole. */
  #lines: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The stored index, or a new one when there is none. One that cannot be read is rebuilt from the disk by the next scan. */
  async load(): Promise<FolderIndex> {
    const text = await readFile(this.#path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    const stored = parseIndex(text);
    this.#lines = stored?.whole ? stored.lines : undefined;
    return stored?.index ?? new FolderIndex(randomBytes(16).toString("hex"));
  }

  /** Resolves when everything that has changed until now is durable. */
  save(index: FolderIndex): Promise<void> {
    this.#saving = this.#saving.catch(() => {}).then(() => this.#save(index));
    return this.#saving;
  }

  async #save(index: FolderIndex): Promise<void> {
    const { entries, peers } = index.takeUnsaved();
    if (entries.length === 0 && !peers && this.#lines !== undefined) return;
    const lines = this.#lines;
    // Whatever goes wrong, the next try writes all.
    this.#lines = undefined;
    if (lines === undefined || lines + entries.length > 2 * index.size + MAX_STALE) {
      this.#lines = await this.#replace(index);
      return;
    }
    const added = entries.map(recordLine);
    if (peers) added.push(peersLine(index));
    this.#lines = (await this.#append(added)) ? lines + added.length : await this.#replace(index);
  }

  /** False when the file is gone. */
  async #append(lines: readonly string[]): Promise<boolean> {
    const handle = await open(this.#path, constants.O_WRONLY | constants.O_APPEND).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined;
        throw error;
      },
    );
    if (!handle) return false;
    try {
      await writeLines(handle, lines);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    return true;
  }

  async #replace(index: FolderIndex): Promise<number> {
    const lines = [headLine(index), peersLine(index)];
    for (const [, entry] of index.entries()) lines.push(recordLine(entry));
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const temporary = `${this.#path}.tmp`;
    const handle = await open(temporary, "w", 0o600);
    try {
      await writeLines(handle, lines);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, this.#path);
    await syncDirectory(dirname(this.#path));
    return lines.length;
  }
}

async function writeLines(handle: FileHandle, lines: readonly string[]): Promise<void> {
  for (let at = 0; at < lines.length; at += LINES_PER_WRITE)
    await handle.writeFile(`${lines.slice(at, at + LINES_PER_WRITE).join("\n")}\n`);
}
