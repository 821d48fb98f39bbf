import { compareBytes } from "#kernel/bytes.js";
import type { Instant } from "#kernel/ports.js";
import type { Entry } from "./connectionTable.js";
import { TRANSPORT_ERROR } from "./errors.js";

/** Two dials that cross within this time are one wish. */
const CROSSING_MS = 10_000;

export interface Superseded {
  readonly entry: Entry;
  readonly code: number;
  readonly reason: string;
}

/**
 * The peer has proved that it holds `entry`: which connections of the same bond end, and why (PROTOCOL.md §2).
 * Usually the older ones; of two that both devices have dialled at the same time, one that both ends agree on without a word.
 */
export function superseded(
  entry: Entry,
  ofPeer: readonly Entry[],
  ownStatic: Uint8Array,
  now: Instant,
): readonly Superseded[] {
  return ofPeer.flatMap((other) => {
    if (other === entry || !other.live || !other.connection.open) return [];
    if (crosses(entry, other, now)) {
      const reason = "both devices have dialled, the other connection stays";
      return { entry: loserOf(entry, other, ownStatic), code: TRANSPORT_ERROR.DUPLICATE_DIAL, reason };
    }
    if (other.since > entry.since) return [];
    return { entry: other, code: TRANSPORT_ERROR.REPLACED, reason: "the device has connected anew" };
  });
}

function crosses(a: Entry, b: Entry, now: Instant): boolean {
  return a.role !== b.role && now - Math.min(a.since, b.since) < CROSSING_MS;
}

/** Both ends keep the one that the smaller static key has dialled. */
function loserOf(a: Entry, b: Entry, ownStatic: Uint8Array): Entry {
  const oursWins = compareBytes(ownStatic, a.peerStatic) < 0;
  return (a.role === "initiator") === oursWins ? b : a;
}
