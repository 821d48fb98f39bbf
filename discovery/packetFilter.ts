import type { Instant } from "#kernel/ports.js";
import { isIpv6, isOnLink, type LocalInterface } from "./localInterface.js";
import { type DnsPacket, MDNS_PORT, type PacketOrigin } from "./records.js";

// PROTOCOL.md §5
const PACKETS_PER_SECOND = 200;
const PACKETS_AT_ONCE = 400;
const MAX_RECORDS = 256;

const HEADER_BYTES = 12;
const SMALLEST_QUESTION_BYTES = 5;

/** False for what cannot be a packet of a size that we read: the codec makes room for as many records as the header claims. */
export function isPlausible(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  let records = 0;
  for (let at = 4; at < HEADER_BYTES; at += 2) records += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  return records <= MAX_RECORDS && records * SMALLEST_QUESTION_BYTES <= bytes.length - HEADER_BYTES;
}

/** Why a packet was not looked at. */
export type DropReason = "offLink" | "badPort" | "malformed" | "oversized" | "flood";

/** The door of discovery on one interface: what no honest neighbour sends stays outside, and is counted. PROTOCOL.md §5. */
export class PacketFilter {
  readonly drops: Record<DropReason, number> = { offLink: 0, badPort: 0, malformed: 0, oversized: 0, flood: 0 };
  readonly #budgets: Map<string, { tokens: number; at: Instant }> = new Map();

  accepts(
    packet: DnsPacket,
    origin: PacketOrigin,
    isResponse: boolean,
    here: LocalInterface | undefined,
    now: Instant,
  ): boolean {
    const reason = reasonToDrop(packet, origin, isResponse, here) ?? (this.#take(origin, now) ? undefined : "flood");
    if (reason) this.drops[reason]++;
    return !reason;
  }

  /** Each family has its own: most of what is heard comes by both. */
  #take({ interface: name, address }: PacketOrigin, now: Instant): boolean {
    const key = `${name} ${isIpv6(address)}`;
    const budget = this.#budgets.get(key) ?? { tokens: PACKETS_AT_ONCE, at: now };
    budget.tokens = Math.min(PACKETS_AT_ONCE, budget.tokens + ((now - budget.at) * PACKETS_PER_SECOND) / 1000);
    budget.at = now;
    this.#budgets.set(key, budget);
    if (budget.tokens < 1) return false;
    budget.tokens--;
    return true;
  }
}

function reasonToDrop(
  packet: DnsPacket,
  origin: PacketOrigin,
  isResponse: boolean,
  here: LocalInterface | undefined,
): DropReason | undefined {
  // RFC 6762 §11. A socket also hears the groups that other sockets joined elsewhere: they are off this link.
  if (!here || !isOnLink(origin.address, here)) return "offLink";
  if (origin.port === 0 || (isResponse && origin.port !== MDNS_PORT)) return "badPort";
  // RFC 6762 §18.3, §18.11
  if ((packet.opcode ?? "QUERY") !== "QUERY" || (packet.rcode ?? "NOERROR") !== "NOERROR") return "malformed";
  const { questions = [], answers = [], authorities = [], additionals = [] } = packet;
  const count = questions.length + answers.length + authorities.length + additionals.length;
  return count > MAX_RECORDS ? "oversized" : undefined;
}
