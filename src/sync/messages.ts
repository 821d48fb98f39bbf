import { concat } from "#kernel/bytes.js";
import { type CborLimits, type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import { WireError } from "#kernel/errors.js";
import { decodeRecord, encodeRecord, type FileRecord } from "./record.js";
import { isRelativePath, parseRelativePath, type RelativePath } from "./relativePath.js";

/** PROTOCOL.md §2. */
export const SYNC_VERSION = 1;
export const MAX_MESSAGE: number = 1024 * 1024;
export const MAX_RECORDS = 500;
export const DATA_CHUNK: number = 256 * 1024;
/** Requests without their end. */
export const MAX_REQUESTS = 64;
const NO_BYTES: Uint8Array = new Uint8Array(0);
const LIMITS: CborLimits = { bytes: MAX_MESSAGE, depth: 4, items: 100_000 };

export type SyncMode = "both" | "send" | "receive";
const MODES: readonly SyncMode[] = ["both", "send", "receive"];

/** How a request ended: all bytes sent; the file changed meanwhile; it is gone or unreadable. */
export type RequestEnd = "ok" | "changed" | "gone";
const ENDS: readonly RequestEnd[] = ["ok", "changed", "gone"];

/** Why a file was not stored. */
export type Refusal = "changing" | "in the way" | "unsafe" | "denied" | "failed" | "name";
const REFUSALS: readonly Refusal[] = ["changing", "in the way", "unsafe", "denied", "failed", "name"];

export type SyncMessage =
  | {
      readonly type: "hello";
      readonly device: string;
      readonly indexId: string;
      readonly mode: SyncMode;
      /** What the sender has of the receiver's index. */
      readonly have: { readonly indexId: string; readonly sequence: number };
    }
  | {
      readonly type: "index";
      readonly records: readonly FileRecord[];
      readonly sequence: number;
      readonly more: boolean;
    }
  | {
      readonly type: "request";
      readonly id: number;
      readonly path: RelativePath;
      readonly hash: Uint8Array;
      readonly offset: number;
    }
  | { readonly type: "data"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: "end"; readonly id: number; readonly status: RequestEnd }
  | { readonly type: "applied"; readonly sequence: number }
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "refused"; readonly path: RelativePath; readonly why: Refusal }
  | {
      readonly type: "progress";
      readonly files: number;
      readonly totalFiles: number;
      readonly bytes: number;
      readonly totalBytes: number;
      readonly path: RelativePath;
    }
  | { readonly type: "pause"; readonly on: boolean };

type Of<T extends SyncMessage["type"]> = Extract<SyncMessage, { readonly type: T }>;

export function encodeSyncMessage(message: SyncMessage): Uint8Array {
  return concat(...syncMessageParts(message));
}

/** The parts of the encoded message; content is among them as it is, because it is copied soon enough. */
export function syncMessageParts(message: SyncMessage): readonly Uint8Array[] {
  if (message.type !== "data") return [encodeCbor(fields(message))];
  const { id, bytes } = message;
  const head = encodeCbor([3, id, NO_BYTES]).subarray(0, -1);
  return [head, byteStringHead(bytes.length), bytes];
}

/** Major type 2 in its shortest form, RFC 8949 §3. */
function byteStringHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(0x40 + length);
  if (length < 0x100) return Uint8Array.of(0x58, length);
  if (length < 0x1_0000) return Uint8Array.of(0x59, length >>> 8, length);
  return Uint8Array.of(0x5a, length >>> 24, length >>> 16, length >>> 8, length);
}

function fields(message: SyncMessage): CborValue {
  switch (message.type) {
    case "hello": {
      const { device, indexId, mode, have } = message;
      return [0, SYNC_VERSION, device, indexId, MODES.indexOf(mode), have.indexId, have.sequence];
    }
    case "index":
      return [1, message.records.map(encodeRecord), message.sequence, message.more];
    case "request":
      return [2, message.id, message.path, message.hash, message.offset];
    case "data":
      return [3, message.id, message.bytes];
    case "end":
      return [4, message.id, ENDS.indexOf(message.status)];
    case "applied":
      return [5, message.sequence];
    case "cancel":
      return [6, message.id];
    case "refused":
      return [7, message.path, REFUSALS.indexOf(message.why)];
    case "progress":
      return [8, message.files, message.totalFiles, message.bytes, message.totalBytes, message.path];
    case "pause":
      return [9, message.on];
  }
}

/** Throws WireError for anything but exactly one of our messages. */
export function decodeSyncMessage(bytes: Uint8Array): SyncMessage {
  const value = decodeCbor(bytes, LIMITS);
  if (!Array.isArray(value)) throw malformed();
  const [type, ...rest] = value as readonly CborValue[];
  const message = decodeFields(type, rest);
  if (!message) throw malformed();
  return message;
}

type Fields = readonly CborValue[];

/** By type number: how many fields, and what they must be. */
const DECODERS: readonly (readonly [fields: number, decode: (fields: Fields) => SyncMessage | undefined])[] = [
  [6, decodeHello],
  [3, decodeIndex],
  [4, decodeRequest],
  [2, decodeData],
  [2, decodeEnd],
  [1, ([a]) => (isCount(a) ? { type: "applied", sequence: a } : undefined)],
  [1, ([a]) => (isCount(a) ? { type: "cancel", id: a } : undefined)],
  [2, decodeRefused],
  [5, decodeProgress],
  [1, ([a]) => (typeof a === "boolean" ? { type: "pause", on: a } : undefined)],
];

function decodeFields(type: CborValue | undefined, fields: Fields): SyncMessage | undefined {
  const known = DECODERS[typeof type === "number" ? type : -1];
  return known && fields.length === known[0] ? known[1](fields) : undefined;
}

function decodeIndex([records, sequence, more]: Fields): Of<"index"> | undefined {
  if (!Array.isArray(records) || records.length > MAX_RECORDS) return undefined;
  if (!isCount(sequence) || typeof more !== "boolean") return undefined;
  return { type: "index", records: (records as Fields).map(decodeRecord), sequence, more };
}

function decodeRequest([id, text, hash, offset]: Fields): Of<"request"> | undefined {
  const path = pathFrom(text);
  return path && isCount(id) && isHash(hash) && isCount(offset)
    ? { type: "request", id, path, hash, offset }
    : undefined;
}

function decodeData([id, bytes]: Fields): Of<"data"> | undefined {
  if (!isCount(id) || !(bytes instanceof Uint8Array) || bytes.length > DATA_CHUNK) return undefined;
  return { type: "data", id, bytes };
}

function decodeEnd([id, end]: Fields): Of<"end"> | undefined {
  const status = ENDS[typeof end === "number" ? end : -1];
  return isCount(id) && status ? { type: "end", id, status } : undefined;
}

function decodeRefused([text, code]: Fields): Of<"refused"> | undefined {
  const path = pathFrom(text);
  const why = REFUSALS[typeof code === "number" ? code : -1];
  return path && why ? { type: "refused", path, why } : undefined;
}

function decodeProgress([files, totalFiles, bytes, totalBytes, text]: Fields): Of<"progress"> | undefined {
  const path = pathFrom(text);
  if (!path || !isCount(files) || !isCount(totalFiles) || !isCount(bytes) || !isCount(totalBytes)) return undefined;
  return { type: "progress", files, totalFiles, bytes, totalBytes, path };
}

function decodeHello([version, device, indexId, mode, haveIndex, haveSequence]: Fields): Of<"hello"> | undefined {
  const known = MODES[typeof mode === "number" ? mode : -1];
  if (version !== SYNC_VERSION || !known || !isId(device, 16) || !isId(indexId, 32)) return undefined;
  if (!(haveIndex === "" || isId(haveIndex, 32)) || !isCount(haveSequence)) return undefined;
  return { type: "hello", device, indexId, mode: known, have: { indexId: haveIndex, sequence: haveSequence } };
}

function pathFrom(value: CborValue | undefined): RelativePath | undefined {
  const path = typeof value === "string" ? parseRelativePath(value) : undefined;
  return path !== undefined && isRelativePath(path) ? path : undefined;
}

function isId(value: CborValue | undefined, digits: number): value is string {
  return typeof value === "string" && value.length === digits && /^[0-9a-f]+$/.test(value);
}

function isHash(value: CborValue | undefined): value is Uint8Array {
  return value instanceof Uint8Array && value.length === 32;
}

function isCount(value: CborValue | undefined): value is number {
  return typeof value === "number" && value >= 0;
}

function malformed(): WireError {
  return new WireError("a sync message that is not in the protocol");
}
