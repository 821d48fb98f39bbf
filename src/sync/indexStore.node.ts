import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { fromHex, toHex } from "#kernel/bytes.js";
import { syncDirectory } from "./folder.node.js";
import { FolderIndex, type LocalStat } from "./folderIndex.js";
import { isRelativePath, parseRelativePath } from "./relativePath.js";
import type { IndexStore } from "./sharedFolder.js";

const FORMAT = "handfast index";
const VERSION = 1;

type Line = readonly [
  path: string,
  size: number,
  mtimeMs: number,
  executable: boolean,
  hash: string,
  version: readonly (readonly [string, number])[],
  deleted: boolean,
  stat: LocalStat | null,
  sequence: number,
];

/** The index as a file of JSON lines, replaced as a whole: after a crash it is the old one or the new one. */
export class IndexFile implements IndexStore {
  readonly #path: string;
  #saving: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** The stored index, or a new one when there is none. One that cannot be read is rebuilt from the disk by the next scan. */
  async load(): Promise<FolderIndex> {
    const text = await readFile(this.#path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    try {
      return parse(text);
    } catch {
      return new FolderIndex(randomBytes(16).toString("hex"));
    }
  }

  save(index: FolderIndex): Promise<void> {
    const text = serialise(index);
    this.#saving = this.#saving.catch(() => {}).then(() => this.#write(text));
    return this.#saving;
  }

  async #write(text: string): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    const temporary = `${this.#path}.tmp`;
    const handle = await open(temporary, "w", 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, this.#path);
    await syncDirectory(dirname(this.#path));
  }
}

function serialise(index: FolderIndex): string {
  const head = { format: FORMAT, version: VERSION, id: index.id, peers: [...index.peers] };
  const lines = [JSON.stringify(head)];
  for (const [, { record, stat, sequence }] of index.entries()) {
    const { path, size, mtimeMs, executable, hash, version, deleted } = record;
    const line: Line = [path, size, mtimeMs, executable, toHex(hash), [...version], deleted, stat ?? null, sequence];
    lines.push(JSON.stringify(line));
  }
  return `${lines.join("\n")}\n`;
}

function parse(text: string): FolderIndex {
  const [first = "", ...lines] = text.split("\n");
  const head = JSON.parse(first) as {
    format: string;
    version: number;
    id: string;
    peers: [string, { indexId: string; sequence: number }][];
  };
  if (head.format !== FORMAT || head.version !== VERSION) throw new Error("not an index of ours");
  const index = new FolderIndex(head.id);
  for (const [device, { indexId, sequence }] of head.peers) index.setPeer(device, indexId, sequence);
  for (const line of lines) {
    if (line === "") continue;
    const [text, size, mtimeMs, executable, hash, version, deleted, stat, sequence] = JSON.parse(line) as Line;
    const path = parseRelativePath(text);
    if (!isRelativePath(path)) throw new Error("an unsafe path");
    const record = { path, size, mtimeMs, executable, hash: fromHex(hash), version: new Map(version), deleted };
    index.set(record, stat ?? undefined, sequence);
  }
  index.dirty = false;
  return index;
}
