const V4_IN_V6 = [0, 0, 0, 0, 0, 0xffff];

/** 4 or 16 bytes of an IP address in text; undefined for anything else, also for one with a zone. An IPv4 address inside an IPv6 one is the former. */
export function ipToBytes(text: string): Uint8Array | undefined {
  if (!text.includes(":")) return v4ToBytes(text);
  const groups = v6Groups(text);
  if (!groups) return undefined;
  const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
  return V4_IN_V6.every((group, i) => groups[i] === group) ? bytes.slice(12) : bytes;
}

/** The one text of 4 or 16 bytes, as sockets write it too (RFC 5952 §4); undefined for any other number of them. */
export function ipToText(bytes: Uint8Array): string | undefined {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(2 * i));
  if (V4_IN_V6.every((group, i) => groups[i] === group)) return bytes.subarray(12).join(".");
  const text = groups.map((group) => group.toString(16));
  const { at, length } = longestZeros(groups);
  return length < 2 ? text.join(":") : `${text.slice(0, at).join(":")}::${text.slice(at + length).join(":")}`;
}

/** An address in its one text, a link-local one with its zone if it has one; undefined for what is no address. */
export function canonicalIp(text: string): string | undefined {
  const at = text.indexOf("%");
  const bytes = ipToBytes(at < 0 ? text : text.slice(0, at));
  const address = bytes && ipToText(bytes);
  if (!address || at < 0) return address;
  // RFC 4007 §6: elsewhere a zone says nothing; and a name that no interface can have is a mistake.
  return isLinkLocal(address) && /^%[^\s/%]+$/.test(text.slice(at)) ? address + text.slice(at) : undefined;
}

/** fe80::/10: on every link another device may have it, so it needs a zone to be reached. */
export function isLinkLocal(host: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(host);
}

function v4ToBytes(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return Uint8Array.from(parts.map(Number));
}

function v6Groups(text: string): number[] | undefined {
  const halves = withoutDots(text)?.split("::") ?? [];
  if (halves.length === 0 || halves.length > 2) return undefined;
  const [head = [], tail] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(missing).fill("0"), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.map((group) => Number.parseInt(group, 16));
}

/** RFC 4291 §2.2: the last four bytes may be written as an IPv4 address. */
function withoutDots(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const at = text.lastIndexOf(":") + 1;
  const bytes = v4ToBytes(text.slice(at));
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer);
  return `${text.slice(0, at)}${view.getUint16(0).toString(16)}:${view.getUint16(2).toString(16)}`;
}

function longestZeros(groups: readonly number[]): { at: number; length: number } {
  let best = { at: 0, length: 0 };
  for (let at = 0; at < groups.length; at++) {
    let length = 0;
    while (groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  return best;
}
