import { isAllZero } from "#kernel/bytes.js";
import type { CborValue } from "#kernel/cbor.js";
import { WireError } from "#kernel/errors.js";
import { isRelativePath, parseRelativePath, type RelativePath } from "./relativePath.js";
import type { VersionVector } from "./versionVector.js";

/** One file as a device's index knows it. PROTOCOL.md §3. */
export interface FileRecord {
  readonly path: RelativePath;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970, whole. */
  readonly mtimeMs: number;
  readonly executable: boolean;
  /** SHA-256 of the content; 32 zero bytes when deleted. */
  readonly hash: Uint8Array;
  readonly version: VersionVector;
  readonly deleted: boolean;
  /** The device that made this version. */
  readonly by: string;
}

export const NO_HASH: Uint8Array = new Uint8Array(32);
const MAX_DEVICES = 64;
/** The last moment that has a date. */
export const MAX_TIME_MS = 8_640_000_000_000_000;
const DEVICE_ID = /^[0-9a-f]{16}$/;
const EXECUTABLE = 1;
const DELETED = 2;
/** Reserved for directories and links. */
const KIND_FILE = 0;

export function encodeRecord(record: FileRecord): CborValue {
  const flags = (record.executable ? EXECUTABLE : 0) | (record.deleted ? DELETED : 0);
  const version = [...record.version].flat();
  return [record.path, KIND_FILE, record.size, record.mtimeMs, flags, record.hash, version, record.by];
}

/** Throws WireError for anything but a record of ours with a safe path. */
export function decodeRecord(value: CborValue): FileRecord {
  if (!Array.isArray(value) || value.length !== 8) throw new WireError("an index record of the wrong shape");
  const [path, kind, size, mtimeMs, flags, hash, version, by] = value as readonly CborValue[];
  const parsed = typeof path === "string" ? parseRelativePath(path) : undefined;
  if (parsed === undefined || !isRelativePath(parsed)) throw new WireError("an index record with an unsafe path");
  if (
    kind !== KIND_FILE ||
    !isCount(size) ||
    !isCount(mtimeMs) ||
    mtimeMs > MAX_TIME_MS ||
    !isCount(flags) ||
    flags > (EXECUTABLE | DELETED)
  )
    throw new WireError("an index record with impossible values");
  if (!(hash instanceof Uint8Array) || hash.length !== 32) throw new WireError("an index record without a hash");
  if (typeof by !== "string" || !DEVICE_ID.test(by)) throw new WireError("an index record of nobody");
  const executable = (flags & EXECUTABLE) !== 0;
  const deleted = (flags & DELETED) !== 0;
  if (deleted && (size > 0 || executable || !isAllZero(hash)))
    throw new WireError("an index record that is deleted and is not");
  return { path: parsed, size, mtimeMs, executable, hash, version: versionFrom(version), deleted, by };
}

function versionFrom(value: CborValue | undefined): VersionVector {
  if (!Array.isArray(value) || value.length % 2 !== 0 || value.length > 2 * MAX_DEVICES || value.length === 0)
    throw new WireError("an index record without a version");
  const version = new Map<string, number>();
  const list = value as readonly CborValue[];
  for (let i = 0; i < list.length; i += 2) {
    const [device, count] = [list[i], list[i + 1]];
    if (typeof device !== "string" || !DEVICE_ID.test(device) || !isCount(count) || version.has(device))
      throw new WireError("an index record with an impossible version");
    version.set(device, count);
  }
  return version;
}

function isCount(value: CborValue | undefined): value is number {
  return typeof value === "number" && value >= 0;
}
