export const SERVICE = "_handfast._udp.local";
export const META = "_services._dns-sd._udp.local";
export const MDNS_PORT = 5353;
/** Seconds. RFC 6762 §10 gives pointers 75 minutes; ours name a device that has other labels by then. PROTOCOL.md §2. */
export const DEVICE_TTL = 120;
export const META_TTL = 4500;
/** Nobody's record is believed for longer. */
export const MAX_TTL = 4500;

export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
  /** As the codec shows it; the top bit asks for a unicast answer and shows as `UNKNOWN_32769`. */
  readonly class?: string;
}

export interface SrvData {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** One record in the shape of the `dns-packet` package. `data` depends on the type. */
export interface DnsRecord {
  readonly name: string;
  readonly type: string;
  readonly class?: string;
  /** Seconds. */
  readonly ttl?: number;
  /** The cache-flush bit: this record replaces the others of its name and type (RFC 6762 §10.2). */
  readonly flush?: boolean;
  readonly data: unknown;
}

export interface DnsPacket {
  readonly id?: number;
  readonly opcode?: string;
  readonly rcode?: string;
  readonly flag_tc?: boolean;
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

/** A packet to send on one interface: to the group, unless an address is given. */
export interface OutgoingPacket {
  readonly kind: "query" | "response";
  readonly packet: DnsPacket;
  readonly interface: string;
  readonly to?: { readonly address: string; readonly port: number };
}

/** `_<service>._sub._handfast._udp.local`; undefined when the application's name cannot be a label. */
export function subtypeOf(service: string | undefined): string | undefined {
  return service !== undefined && /^[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?$/.test(service)
    ? `_${service}._sub.${SERVICE}`
    : undefined;
}

/** What an SRV record says, or undefined when it is malformed. */
export function srvOf(data: unknown): SrvData | undefined {
  const { priority = 0, weight = 0, port, target } = (data ?? {}) as Partial<SrvData>;
  if (typeof port !== "number" || port < 1 || port > 65_535 || typeof target !== "string") return undefined;
  return { priority, weight, port, target };
}
