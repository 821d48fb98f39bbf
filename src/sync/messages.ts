import { type CborLimits, type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import { WireError } from "#kernel/errors.js";
import { decodeRecord, encodeRecord, type FileRecord } from "./record.js";
import { isRelativePath, parseRelativePath, type RelativePath } from "./relativePath.js";

/** PROTOCOL.md §2. */
export const SYNC_VERSION = 1;
export const MAX_MESSAGE: number = 1024 * 1024;
export const MAX_RECORDS = 500;
export const DATA_CHUNK: number = 256 * 1024;
const LIMITS: CborLimits = { bytes: MAX_MESSAGE, depth: 4, items: 100_000 };

export type SyncMode = "both" | "send" | "receive";
const MODES: readonly SyncMode[] = ["both", "send", "receive"];

/** How a request ended: all bytes sent; the file changed meanwhile; it is gone or unreadable. */
export type RequestEnd = "ok" | "changed" | "gone";
const ENDS: readonly RequestEnd[] = ["ok", "changed", "gone"];

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
  | { readonly type: "applied"; readonly sequence: number };

export function encodeSyncMessage(message: SyncMessage): Uint8Array {
  return encodeCbor(fields(message));
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

function decodeFields(type: CborValue | undefined, rest: readonly CborValue[]): SyncMessage | undefined {
  const [a, b, c, d] = rest;
  if (type === 0 && rest.length === 6) return decodeHello(rest);
  if (
    type === 1 &&
    rest.length === 3 &&
    Array.isArray(a) &&
    a.length <= MAX_RECORDS &&
    isCount(b) &&
    typeof c === "boolean"
  )
    return { type: "index", records: (a as readonly CborValue[]).map(decodeRecord), sequence: b, more: c };
  if (type === 2 && rest.length === 4 && isCount(a) && typeof b === "string" && isHash(c) && isCount(d)) {
    const path = parseRelativePath(b);
    return isRelativePath(path) ? { type: "request", id: a, path, hash: c, offset: d } : undefined;
  }
  if (type === 3 && rest.length === 2 && isCount(a) && b instanceof Uint8Array && b.length <= DATA_CHUNK)
    return { type: "data", id: a, bytes: b };
  const status = ENDS[typeof b === "number" ? b : -1];
  if (type === 4 && rest.length === 2 && isCount(a) && status) return { type: "end", id: a, status };
  if (type === 5 && rest.length === 1 && isCount(a)) return { type: "applied", sequence: a };
  return undefined;
}

function decodeHello([version, device, indexId, mode, haveIndex, haveSequence]: readonly CborValue[]):
  | SyncMessage
  | undefined {
  const known = MODES[typeof mode === "number" ? mode : -1];
  if (version !== SYNC_VERSION || !known || !isId(device, 16) || !isId(indexId, 32)) return undefined;
  if (!(haveIndex === "" || isId(haveIndex, 32)) || !isCount(haveSequence)) return undefined;
  return { type: "hello", device, indexId, mode: known, have: { indexId: haveIndex, sequence: haveSequence } };
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
