import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { type CborValue, decodeCbor, encodeCbor } from "#kernel/cbor.js";
import { HandfastError, unlessMalformed } from "#kernel/errors.js";
import { ipToBytes, ipToText, isLinkLocal } from "#kernel/ipAddress.js";
import type { Address, RandomSource } from "#kernel/ports.js";
import { fromBase32, toBase32 } from "./base32.js";
import { f4 } from "./toolbox.js";

const PREFIX = "HF1:";
/** The same for the handlers of links. */
const SCHEME = "handfast:";
const VERSION = 1;
const MAX_ADDRESSES = 4;
const BLOCK = 16;

/** What a QR code or a link carries from the responder's screen to the initiator. It is a secret: PROTOCOL.md §4. */
export interface PairingLink {
  readonly addresses: readonly Address[];
  /** f4(PKb.x, PKb.x, rb, 0). */
  readonly commitment: Uint8Array;
  readonly rb: Uint8Array;
  /** The exact bytes that both sides hash. */
  readonly bytes: Uint8Array;
}

/** A link for one key pair, one session. What is no IP address is left out. */
export function makeLink(
  crypto: Crypto,
  random: RandomSource,
  keyPair: KeyPair,
  addresses: readonly Address[],
): PairingLink {
  const x = keyPair.public.subarray(1, 33);
  const rb = random(BLOCK);
  const commitment = f4(crypto, x, x, rb, 0);
  const reachable = shown(addresses);
  const port = reachable[0]?.port ?? 0;
  const hosts = reachable.flatMap(({ host }) => ipToBytes(host) ?? []);
  const bytes = encodeCbor([VERSION, hosts, port, commitment, rb]);
  return { addresses: reachable, commitment, rb, bytes };
}

/** At most four. Beside IPv4 one IPv6 address is enough, and keeps a QR code small. */
function shown(addresses: readonly Address[]): Address[] {
  // A zone is a name on this machine only: whoever follows the link tries its own.
  const bare = addresses.map(({ host, port }) => ({ host: host.split("%")[0] ?? "", port }));
  const known = new Map(bare.filter(({ host }) => ipToBytes(host)).map((each) => [each.host, each]));
  const isIpv6 = ({ host }: Address): boolean => host.includes(":");
  const ipv4 = [...known.values()].filter((each) => !isIpv6(each));
  const ipv6 = [...known.values()]
    .filter(isIpv6)
    .sort((a, b) => Number(isLinkLocal(a.host)) - Number(isLinkLocal(b.host)));
  if (ipv4.length === 0) return ipv6.slice(0, MAX_ADDRESSES);
  return [...ipv4.slice(0, ipv6.length > 0 ? MAX_ADDRESSES - 1 : MAX_ADDRESSES), ...ipv6.slice(0, 1)];
}

/** Upper case and digits only: the dense mode of a QR code. */
export function linkText(link: PairingLink): string {
  return PREFIX + toBase32(link.bytes);
}

/** Takes `HF1:…` and `handfast:…` in any case. Throws HandfastError BAD_LINK. */
export function parseLink(text: string): PairingLink {
  const upper = text.trim().toUpperCase();
  const prefix = [PREFIX, SCHEME.toUpperCase()].find((each) => upper.startsWith(each));
  const bytes = prefix === undefined ? undefined : fromBase32(upper.slice(prefix.length));
  const link = bytes && decodeLink(bytes);
  if (link) return link;
  throw new HandfastError(
    "BAD_LINK",
    "This is not a Handfast link, or a part of it is missing. Copy it again from the PC.",
  );
}

function decodeLink(bytes: Uint8Array): PairingLink | undefined {
  const array = unlessMalformed(() => decodeCbor(bytes));
  if (!Array.isArray(array) || array.length !== 5) return undefined;
  const [version, hosts, port, commitment, rb] = array as readonly CborValue[];
  if (version !== VERSION || !Array.isArray(hosts) || hosts.length > MAX_ADDRESSES) return undefined;
  if (typeof port !== "number" || port < 0 || port > 0xffff) return undefined;
  if (!isBlock(commitment) || !isBlock(rb)) return undefined;
  const addresses: Address[] = [];
  for (const host of hosts as readonly CborValue[]) {
    const name = host instanceof Uint8Array ? ipToText(host) : undefined;
    if (name === undefined) return undefined;
    addresses.push({ host: name, port });
  }
  return { addresses, commitment, rb, bytes };
}

function isBlock(value: CborValue | undefined): value is Uint8Array {
  return value instanceof Uint8Array && value.length === BLOCK;
}
