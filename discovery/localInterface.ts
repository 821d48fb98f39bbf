import { ipToBytes, isLinkLocal } from "#kernel/ipAddress.js";

/** An IP address of this machine, without zone, and how many bits of it name its link. */
export interface Subnet {
  readonly address: string;
  readonly prefix: number;
}

/** The addresses of this machine on one network. */
export interface LocalInterface {
  readonly name: string;
  readonly subnets: readonly Subnet[];
  /** What this system writes behind the `%` of a link-local address, where that is not the name. */
  readonly zone?: string;
}

export function isIpv6(address: string): boolean {
  return address.includes(":");
}

/** `address` as this machine can use it: link-local ones need their interface. */
export function withZone(address: string, { name, zone = name }: LocalInterface): string {
  return isLinkLocal(address) ? `${address}%${zone}` : address;
}

/** True when `address` is on the link of this interface (RFC 6762 §11). */
export function isOnLink(address: string, local: LocalInterface): boolean {
  const [bare = "", zone] = address.split("%");
  if (zone !== undefined && zone !== (local.zone ?? local.name)) return false;
  const bytes = ipToBytes(bare);
  return (
    bytes !== undefined &&
    local.subnets.some((subnet) => {
      const own = ipToBytes(subnet.address);
      return own?.length === bytes.length && sharedBits(own, bytes) >= subnet.prefix;
    })
  );
}

/** True for an address that a device on this interface can have: a host, and loopback only on the loopback. */
export function isHostAddress(address: string, local: LocalInterface): boolean {
  const bytes = ipToBytes(address);
  const [first = 0] = bytes ?? [];
  if (bytes?.length === 4) return first === 127 ? isOnLink(address, local) : first !== 0 && first < 224;
  if (bytes?.length !== 16) return false;
  // RFC 4291 §2.4: `::` and `::1` are no hosts, ff00::/8 are groups.
  const isLow = bytes.subarray(0, 15).every((byte) => byte === 0);
  return isLow ? bytes[15] === 1 && isOnLink(address, local) : first !== 0xff;
}

function sharedBits(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return at < 0 ? 8 * a.length : 8 * at + Math.clz32((a[at] ?? 0) ^ (b[at] ?? 0)) - 24;
}
