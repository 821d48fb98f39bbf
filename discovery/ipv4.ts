/** An IPv4 address of this machine and how many bits of it name its link. */
export interface Subnet {
  readonly address: string;
  readonly prefix: number;
}

/** The addresses of this machine on one network. */
export interface LocalInterface {
  readonly name: string;
  readonly subnets: readonly Subnet[];
}

/** 32 bits, or undefined for what is not exactly four decimal bytes. */
export function parseIpv4(text: unknown): number | undefined {
  if (typeof text !== "string" || !/^(\d{1,3}\.){3}\d{1,3}$/.test(text)) return undefined;
  let value = 0;
  for (const part of text.split(".")) {
    if (Number(part) > 255 || (part.length > 1 && part.startsWith("0"))) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

/** True when `address` is on the link of one of `subnets` (RFC 6762 §11). */
export function isOnLink(address: string, subnets: readonly Subnet[]): boolean {
  const value = parseIpv4(address);
  return (
    value !== undefined &&
    subnets.some((subnet) => {
      const own = parseIpv4(subnet.address);
      const size = 2 ** (32 - subnet.prefix);
      return own !== undefined && Math.floor(own / size) === Math.floor(value / size);
    })
  );
}

/** True for an address that a device on this interface can have: a host, and loopback only on the loopback. */
export function isHostAddress(address: string, subnets: readonly Subnet[]): boolean {
  const value = parseIpv4(address);
  if (value === undefined) return false;
  const first = value >>> 24;
  if (first === 127) return isOnLink(address, subnets);
  return first !== 0 && first < 224;
}
