import { fromHex, toHex } from "#kernel/bytes.js";
import { FolderIndex, type IndexEntry, type LocalStat } from "./folderIndex.js";
import { isRelativePath, parseRelativePath } from "./relativePath.js";

const FORMAT = "handfast index";
const VERSION = 1;

type RecordLine = readonly [
  path: string,
  size: number,
  mtimeMs: number,
  executable: boolean,
  hash: string,
  version: readonly (readonly [string, number])[],
  deleted: boolean,
  by: string,
  stat: LocalStat | null,
  sequence: number,
];
type HeadLine = { readonly format: string; readonly version: number; readonly id: string };
type PeersLine = { readonly peers: readonly (readonly [string, string, number])[] };

export function headLine(index: FolderIndex): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, id: index.id } satisfies HeadLine);
}

export function peersLine(index: FolderIndex): string {
  const peers = [...index.peers].map(([device, { indexId, sequence }]) => [device, indexId, sequence] as const);
  return JSON.stringify({ peers } satisfies PeersLine);
}

export function recordLine({ record, stat, sequence }: IndexEntry): string {
  const { path, size, mtimeMs, executable, hash, version, deleted, by } = record;
  const kept = stat && { size: stat.size, mtimeMs: stat.mtimeMs, ctimeMs: stat.ctimeMs, inode: stat.inode };
  const line = [path, size, mtimeMs, executable, toHex(hash), [...version], deleted, by, kept ?? null, sequence];
  return JSON.stringify(line satisfies unknown[]);
}

/**
 * Reads the lines; a later one replaces an earlier one. The last line of a write that a crash cut off does not count, and
 * then the text is not `whole`. Undefined when it is not an index of ours, or is damaged.
 */
export function parseIndex(text: string): { index: FolderIndex; lines: number; whole: boolean } | undefined {
  const lines = text.split("\n");
  const whole = lines.pop() === "";
  try {
    const head = JSON.parse(lines[0] ?? "") as HeadLine;
    if (head.format !== FORMAT || head.version !== VERSION) return undefined;
    const index = new FolderIndex(head.id);
    for (const line of lines.slice(1)) readLine(index, JSON.parse(line) as RecordLine | PeersLine);
    index.takeUnsaved();
    return { index, lines: lines.length, whole };
  } catch {
    return undefined;
  }
}

function readLine(index: FolderIndex, line: RecordLine | PeersLine): void {
  if ("peers" in line) {
    for (const [device, indexId, sequence] of line.peers) index.setPeer(device, indexId, sequence);
    return;
  }
  const [text, size, mtimeMs, executable, hash, version, deleted, by, stat, sequence] = line;
  const path = parseRelativePath(text);
  if (!isRelativePath(path)) throw new Error("an unsafe path");
  const record = { path, size, mtimeMs, executable, hash: fromHex(hash), version: new Map(version), deleted, by };
  index.set(record, stat ?? undefined, sequence);
}
