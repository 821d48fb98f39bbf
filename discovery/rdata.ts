import { compareBytes, concat, toHex, utf8 } from "#kernel/bytes.js";
import { ipToBytes, ipToText } from "#kernel/ipAddress.js";
import { fold } from "./names.js";
import { type DnsRecord, srvOf } from "./records.js";

const TYPE_NUMBERS: Readonly<Record<string, number>> = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, NSEC: 47 };
/** Larger than any: a claim that we cannot read wins against ours. */
const UNREADABLE_TYPE = 0x10000;

/** The uncompressed bytes of a record's data, names in lower case; undefined for what is malformed or not our concern. */
export function rdataOf({ type, data }: Pick<DnsRecord, "type" | "data">): Uint8Array | undefined {
  switch (type) {
    case "A":
    case "AAAA":
      return addressBytes(type, data);
    case "PTR":
      return typeof data === "string" ? nameBytes(data) : undefined;
    case "SRV": {
      const srv = srvOf(data);
      return srv && concat(uint16(srv.priority), uint16(srv.weight), uint16(srv.port), nameBytes(srv.target));
    }
    case "TXT":
      return txtBytes(data);
    default:
      return undefined;
  }
}

/** Equal for records that say the same, whatever their lifetime; undefined when the data cannot be read. */
export function recordKey(record: DnsRecord): string | undefined {
  const said = wordsOf(record);
  return said === undefined ? undefined : `${record.type} ${fold(record.name)} ${said}`;
}

function wordsOf({ type, data }: DnsRecord): string | undefined {
  switch (type) {
    case "A":
    case "AAAA":
      return addressOf({ type, data });
    case "PTR":
      return typeof data === "string" ? fold(data) : undefined;
    case "SRV": {
      const srv = srvOf(data);
      return srv && `${srv.priority} ${srv.weight} ${srv.port} ${fold(srv.target)}`;
    }
    case "TXT": {
      const bytes = txtBytes(data);
      return bytes && toHex(bytes);
    }
    case "NSEC": {
      const { nextDomain, rrtypes } = (data ?? {}) as { readonly nextDomain?: unknown; readonly rrtypes?: unknown };
      if (typeof nextDomain !== "string" || !Array.isArray(rrtypes)) return undefined;
      return `${fold(nextDomain)} ${[...rrtypes].sort().join(" ")}`;
    }
    default:
      return undefined;
  }
}

/** RFC 6762 §8.2: negative when the claim `ours` loses against `theirs`, 0 when both say the same. */
export function compareClaims(ours: readonly DnsRecord[], theirs: readonly DnsRecord[]): number {
  const a = ours.map(comparable).sort(compare);
  const b = theirs.map(comparable).sort(compare);
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [left, right] = [a[i], b[i]];
    const difference = left && right ? compare(left, right) : 0;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

interface Comparable {
  readonly type: number;
  readonly rdata: Uint8Array;
}

function comparable(record: DnsRecord): Comparable {
  return { type: TYPE_NUMBERS[record.type] ?? UNREADABLE_TYPE, rdata: rdataOf(record) ?? new Uint8Array(0) };
}

function compare(a: Comparable, b: Comparable): number {
  return a.type - b.type || compareBytes(a.rdata, b.rdata);
}

/** The address in an A or AAAA record in its one text; undefined when it is malformed. */
export function addressOf({ type, data }: Pick<DnsRecord, "type" | "data">): string | undefined {
  const bytes = addressBytes(type, data);
  return bytes && ipToText(bytes);
}

function addressBytes(type: string, data: unknown): Uint8Array | undefined {
  const bytes = typeof data === "string" ? ipToBytes(data) : undefined;
  return bytes?.length === (type === "A" ? 4 : 16) ? bytes : undefined;
}

function nameBytes(name: string): Uint8Array {
  const parts = fold(name)
    .split(".")
    .map((label) => utf8(label));
  return concat(...parts.flatMap((label) => [Uint8Array.of(label.length), label]), Uint8Array.of(0));
}

function txtBytes(data: unknown): Uint8Array | undefined {
  const entries: readonly unknown[] = Array.isArray(data) ? data : [data];
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    if (!(entry instanceof Uint8Array)) return undefined;
    parts.push(Uint8Array.of(entry.length), entry);
  }
  return concat(...parts);
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}
