import { HandfastError } from "#kernel/errors.js";
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

/** `host`, `host:port` or `[v6]:port`. Throws HandfastError BAD_ADDRESS. */
export function parseAddress(text: string): Address {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? DEFAULT_PORT : Number(port);
  if (!host || number < 1 || number > 65_535)
    throw new HandfastError(
      "BAD_ADDRESS",
      `"${text}" is not an address. Write host:port, for example 192.168.1.20:4760.`,
    );
  return { host, port: number };
}
