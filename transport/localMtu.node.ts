import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { ipToBytes } from "#kernel/ipAddress.js";
import type { Address } from "#kernel/ports.js";

const UDP_IPV4 = 28;
const UDP_IPV6 = 48;
const ETHERNET = 1500;
/** A loopback takes 64 KiB; a little less, so that a handful of packets fits a default socket buffer. */
const LOOPBACK_DATAGRAM = 61_440;
/** Larger loses more with each packet than it saves. */
const LARGEST_DATAGRAM = 16_336;

/**
 * The largest UDP payload that leaves towards `to` without being cut up: above the interface's MTU the kernel fragments silently,
 * and a probe would prove nothing. Linux tells; elsewhere an Ethernet is assumed.
 */
export function localMaxDatagram(to: Address): number {
  if (to.host.startsWith("127.") || to.host === "::1") return LOOPBACK_DATAGRAM;
  const name = interfaceTowards(to.host);
  const isIpv6 = to.host.includes(":");
  const mtu =
    (isIpv6 && mtuIn(`/proc/sys/net/ipv6/conf/${name}/mtu`, name)) || mtuIn(`/sys/class/net/${name}/mtu`, name);
  return Math.min(Math.max((mtu ?? ETHERNET) - (isIpv6 ? UDP_IPV6 : UDP_IPV4), 1200), LARGEST_DATAGRAM);
}

/** The interface in whose network `host` is; undefined when it is behind a router, or the address names none. */
function interfaceTowards(host: string): string | undefined {
  const [, zone] = host.split("%");
  if (zone) return zone;
  const wanted = bitsOf(host);
  if (!wanted) return undefined;
  for (const [name, addresses] of Object.entries(networkInterfaces()))
    for (const own of addresses ?? []) {
      const length = Number(own.cidr?.split("/")[1] ?? Number.NaN);
      const bits = bitsOf(own.address);
      if (bits?.length === wanted.length && length > 0 && wanted.slice(0, length) === bits.slice(0, length))
        return name;
    }
  return undefined;
}

/** A router may give IPv6 less than the interface takes, so it has a file of its own. */
function mtuIn(file: string, name: string | undefined): number | undefined {
  if (!name || !/^[\w.-]+$/.test(name)) return undefined;
  try {
    return Number(readFileSync(file, "utf8")) || undefined;
  } catch {
    return undefined; // not Linux, or the interface has gone
  }
}

/** An address as binary digits. */
function bitsOf(address: string): string | undefined {
  const bytes = ipToBytes(address);
  return bytes && Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
}
