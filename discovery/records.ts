import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "#kernel/bytes.js";

export const SERVICE = "_handfast._udp.local";
export const META = "_services._dns-sd._udp.local";
/** RFC 6762 §10: records that name a host live two minutes, others 75. */
export const HOST_TTL = 120;
export const SHARED_TTL = 4500;
const MAX_TXT_ENTRIES = 16;
const MAX_NAME_BYTES = 64;

export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
}

export interface SrvData {
  readonly port: number;
  readonly target: string;
}

/** One record in the shape of the `dns-packet` package. `data` depends on the type. */
export interface DnsRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly flush?: boolean;
  readonly data: unknown;
}

export interface DnsPacket {
  readonly id?: number;
  readonly questions?: readonly DnsQuestion[];
  readonly answers?: readonly DnsRecord[];
  readonly authorities?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

/** Where a packet came from. */
export interface PacketOrigin {
  readonly interface: string;
  readonly address: string;
  readonly port: number;
}

/** A packet to send; on every interface unless one is named, to the group unless an address is. */
export interface OutgoingPacket {
  readonly kind: "query" | "response";
  readonly packet: DnsPacket;
  readonly interface?: string;
  readonly to?: { readonly address: string; readonly port: number };
}

/** What the TXT record of a device says. */
export interface Announcement {
  readonly tag: Uint8Array | undefined;
  readonly name: string | undefined;
  readonly pairing: boolean;
}

export function encodeTxt(announcement: Announcement): Uint8Array[] {
  const entries = ["v=1"];
  if (announcement.tag) entries.push(`t=${toBase64Url(announcement.tag)}`);
  if (announcement.pairing) {
    if (announcement.name !== undefined) entries.push(`n=${announcement.name}`);
    entries.push("p=1");
  }
  return entries.map(utf8);
}

/** Undefined for another version, or for what cannot be read. Unknown keys are skipped. */
export function decodeTxt(data: unknown): Announcement | undefined {
  const entries = Array.isArray(data) ? (data as readonly unknown[]) : [data];
  const values = new Map<string, string>();
  for (const entry of entries.slice(0, MAX_TXT_ENTRIES)) {
    const text = entry instanceof Uint8Array ? textOf(entry) : undefined;
    const at = text?.indexOf("=") ?? -1;
    // RFC 6763 §6.4: of a repeated key the first counts.
    if (text && at > 0 && !values.has(text.slice(0, at))) values.set(text.slice(0, at), text.slice(at + 1));
  }
  if (values.get("v") !== "1") return undefined;
  const name = values.get("n");
  return { tag: tagOf(values.get("t")), name: isShowable(name) ? name : undefined, pairing: values.get("p") === "1" };
}

/** `_handfast._udp.local` is the same as `_HANDFAST._udp.LOCAL.` */
export function sameName(a: string, b: string): boolean {
  return a.replace(/\.$/, "").toLowerCase() === b.replace(/\.$/, "").toLowerCase();
}

export function srvOf(data: unknown): SrvData | undefined {
  const { port, target } = (data ?? {}) as Partial<SrvData>;
  if (typeof port !== "number" || port < 1 || port > 65_535 || typeof target !== "string") return undefined;
  return { port, target };
}

export function ipv4Of(data: unknown): string | undefined {
  return typeof data === "string" && /^(\d{1,3}\.){3}\d{1,3}$/.test(data) ? data : undefined;
}

function isShowable(name: string | undefined): name is string {
  return name !== undefined && name !== "" && utf8(name).length <= MAX_NAME_BYTES && !/[\p{Cc}\p{Cf}]/u.test(name);
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return fromUtf8(new Uint8Array(bytes));
  } catch {
    return undefined;
  }
}

function tagOf(text: string | undefined): Uint8Array | undefined {
  try {
    const tag = text === undefined ? undefined : fromBase64Url(text);
    return tag?.length === 16 ? tag : undefined;
  } catch {
    return undefined;
  }
}
