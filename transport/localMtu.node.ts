import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
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
  const overhead = to.host.includes(":") ? UDP_IPV6 : UDP_IPV4;
  const mtu = mtuOf(interfaceTowards(to.host)) ?? ETHERNET;
  return Math.min(Math.max(mtu - overhead, 1200), LARGEST_DATAGRAM);
}

/** The interface in whose network `host` is; undefined when it is behind a router, or the address names none. */
function interfaceTowards(host: string): string | undefined {
  const [address = "", zone] = host.split("%");
  if (zone) return zone;
  const wanted = bitsOf(address);
  for (const [name, addresses] of Object.entries(networkInterfaces()))
    for (const own of addresses ?? []) {
      const length = Number(own.cidr?.split("/")[1] ?? Number.NaN);
      const bits = bitsOf(own.address);
      if (wanted && bits && length > 0 && wanted.slice(0, length) === bits.slice(0, length)) return name;
    }
  return undefined;
}

function mtuOf(name: string | undefined): number | undefined {
  if (!name || !/^[\w.-]+$/.test(name)) return undefined;
  try {
    return Number(readFileSync(`/sys/class/net/${name}/mtu`, "utf8")) || undefined;
  } catch {
    return undefined; // not Linux, or the interface has gone
  }
}

/** An IPv4 address as 32 binary digits; IPv6 link-local ones carry their zone, others are left to Ethernet's size. */
function bitsOf(address: string): string | undefined {
  const parts = address.split(".").map(Number);
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) return undefined;
  return parts.map((part) => part.toString(2).padStart(8, "0")).join("");
}
