import { HandfastError } from "#kernel/errors.js";
import { canonicalIp, isLinkLocal } from "#kernel/ipAddress.js";
import type { Address } from "#kernel/ports.js";

/** Where a device is: found by discovery, or named by a person. */
export interface Target {
  readonly name: string | undefined;
  readonly addresses: readonly Address[];
}

export function keyOf(address: Address): string {
  return `${address.host} ${address.port}`;
}

export const DEFAULT_PORT = 4760;

/** What a person writes: `host`, `host:port`, `[IPv6]:port`, or an IPv6 address alone. Throws HandfastError BAD_ADDRESS. */
export function parseAddress(text: string): Address {
  const bare = canonicalIp(text);
  if (bare !== undefined) return { host: bare, port: DEFAULT_PORT };
  const [, bracketed, plain, port] = /^(?:\[([^[\]]+)\]|([^:[\]%\s]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed === undefined ? plain && nameOrIpv4(plain) : ipv6(bracketed);
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  if (!host || number < 1 || number > 65_535)
    throw new HandfastError(
      "BAD_ADDRESS",
      `"${text}" is not an address. Write host:port, for example 192.168.1.20:4760, or [fe80::1%eth0]:4760.`,
    );
  return { host, port: number };
}

/** The same for a person to read; `parseAddress` takes it back. */
export function addressText({ host, port }: Address): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * A link-local address says nothing without the interface it is meant on: where that is not told, it may be on each of ours.
 * `own`: our own addresses, those with a zone name the interfaces.
 */
export function withZones(addresses: readonly Address[], own: readonly string[]): Address[] {
  const zones = [...new Set(own.flatMap((address) => address.split("%")[1] ?? []))];
  return addresses.flatMap(({ host, port }) =>
    isLinkLocal(host) && !host.includes("%")
      ? zones.map((zone) => ({ host: `${host}%${zone}`, port }))
      : { host, port },
  );
}

function ipv6(text: string): string | undefined {
  return text.includes(":") ? canonicalIp(text) : undefined;
}

/** Digits and dots alone name no machine. */
function nameOrIpv4(text: string): string | undefined {
  return /^[\d.]+$/.test(text) ? canonicalIp(text) : text;
}
