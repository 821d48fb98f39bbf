import { Encoder } from "cbor-x/index-no-eval";
import { scanCbor } from "./cborScan.js";

/** What our protocols say in CBOR: no floats, no tags, map keys are small integers. */
export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<number, CborValue>;

/** How much of a stranger's CBOR is looked at. */
export interface CborLimits {
  /** Bytes of the whole item. */
  readonly bytes: number;
  /** Arrays and maps inside one another. */
  readonly depth: number;
  /** All items together, map keys included. */
  readonly items: number;
}

export const DATAGRAM_LIMITS: CborLimits = { bytes: 1200, depth: 3, items: 64 };

const TWO_32 = 2 ** 32;
const codec = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false, variableMapSize: true });

/** Deterministic encoding, RFC 8949 §4.2.1: shortest lengths, map keys in ascending order. */
export function encodeCbor(value: CborValue): Uint8Array {
  return new Uint8Array(codec.encode(prepared(value)));
}

/**
 * Reads exactly one item that is in the deterministic encoding. Throws WireError for everything else: cbor-x alone would
 * accept tags, floats, indefinite lengths, repeated keys, and spend quadratic time on some of them, so our scan runs first.
 * Byte strings in the result have their own memory.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = DATAGRAM_LIMITS): CborValue {
  scanCbor(bytes, limits);
  // A view of its own: cbor-x leaves a property on what it reads.
  return owned(codec.decode(bytes.subarray()) as CborValue | bigint);
}

/** Sorts map keys, and has cbor-x write large integers as integers: it would take a double for them. */
function prepared(value: CborValue): unknown {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError("cbor: only safe integers can be encoded");
    return value < -TWO_32 || value >= TWO_32 ? BigInt(value) : value;
  }
  if (Array.isArray(value)) return value.map(prepared);
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<number, CborValue>)].sort(([a], [b]) => a - b);
    return new Map(entries.map(([key, inner]) => [prepared(key), prepared(inner)]));
  }
  return value;
}

function owned(value: CborValue | bigint): CborValue {
  if (typeof value === "bigint") return Number(value); // the scan has let nothing above 2^53 through
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(owned);
  if (value instanceof Map)
    return new Map([...(value as ReadonlyMap<number, CborValue>)].map(([key, inner]) => [key, owned(inner)]));
  return value;
}
