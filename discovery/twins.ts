import type { Instant } from "#kernel/ports.js";
import { isIpv6 } from "./localInterface.js";
import { type DnsPacket, MDNS_PORT, type PacketOrigin } from "./records.js";

/** Both copies leave their machine at once; a question that is repeated on purpose comes a second later. */
const TWIN_MS = 200;
const MAX_REMEMBERED = 64;

/**
 * Who has both families asks by both (RFC 6762 §20), and on a link with both everybody would answer twice. The second copy of a question
 * on the other family is not heard: the answer to the first leaves by both as well.
 */
export class Twins {
  /** By interface and content, oldest first. */
  readonly #heard = new Map<string, { readonly ipv6: boolean; readonly at: Instant }>();

  isTwin({ questions, answers, authorities }: DnsPacket, origin: PacketOrigin, now: Instant): boolean {
    // A plain DNS client is answered at its own address.
    if (origin.port !== MDNS_PORT) return false;
    const key = `${origin.interface} ${JSON.stringify([questions, answers, authorities])}`;
    const before = this.#heard.get(key);
    const ipv6 = isIpv6(origin.address);
    if (before && before.ipv6 !== ipv6 && now - before.at < TWIN_MS) return true;
    this.#heard.delete(key);
    this.#heard.set(key, { ipv6, at: now });
    for (const [oldest, { at }] of this.#heard) {
      if (this.#heard.size <= MAX_REMEMBERED && now - at < TWIN_MS) break;
      this.#heard.delete(oldest);
    }
    return false;
  }
}
