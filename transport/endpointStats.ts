import type { InitDrops } from "./acceptor.js";
import type { ConnectionTable } from "./connectionTable.js";
import type { MemoryStats } from "./endpointMemory.js";
import type { EndpointDrops } from "./endpointTypes.js";
import type { PacketDrops } from "./packet.js";

/** What an endpoint has to do with; counts since it began, sizes in bytes. */
export interface EndpointStats {
  readonly sessions: {
    /** Both ends have proved themselves. */
    readonly live: number;
    /** Over, but late packets may still come. */
    readonly closing: number;
    /** We have answered; the client has not proved itself yet. */
    readonly halfOpen: number;
    /** We call, and nobody has answered yet. */
    readonly dialling: number;
  };
  readonly inits: {
    /** Answered with a connection that may begin. */
    readonly accepted: number;
    /** Answered with the same Response again. */
    readonly repeated: number;
    /** Answered with a Cookie: too many came. */
    readonly cookied: number;
    readonly dropped: {
      /** By somebody who does not know our key. */
      readonly mac1: number;
      /** From a proved address, and still too many. */
      readonly rate: number;
      /** By a device that we have no bond with. */
      readonly unknown: number;
      readonly malformed: number;
    };
  };
  /** Everything that was dropped, by reason. */
  readonly drops: EndpointDrops;
  readonly memory: MemoryStats;
}

export interface EndpointCounts {
  readonly entries: ConnectionTable;
  readonly dialling: number;
  /** Of who accepts connections. */
  readonly acceptor: { readonly accepted: number; readonly drops: InitDrops } | undefined;
  /** Of connections that are over. */
  readonly gone: PacketDrops;
  readonly drops: { readonly unknownConnection: number; readonly unexpected: number };
  readonly memory: MemoryStats;
}

const NO_INITS: InitDrops = { mac1: 0, rate: 0, stranger: 0, malformed: 0, cookie: 0, duplicate: 0 };

export function endpointStats(counts: EndpointCounts): EndpointStats {
  const { entries, dialling, acceptor, memory } = counts;
  const { mac1, rate, stranger: unknown, malformed, cookie, duplicate } = acceptor?.drops ?? NO_INITS;
  let live = 0;
  let closing = 0;
  for (const { live: known, connection } of entries.values()) {
    if (!connection.open) closing++;
    else if (known) live++;
  }
  return {
    sessions: { live, closing, halfOpen: entries.halfOpen, dialling },
    inits: {
      accepted: acceptor?.accepted ?? 0,
      ...{ repeated: duplicate, cookied: cookie, dropped: { mac1, rate, unknown, malformed } },
    },
    drops: endpointDrops(counts),
    memory,
  };
}

export function endpointDrops({ entries, acceptor, gone, drops }: EndpointCounts): EndpointDrops {
  const total = { ...NO_INITS, ...acceptor?.drops, ...drops, short: 0, epoch: 0, forged: 0 };
  for (const each of [gone, ...[...entries.values()].map((entry) => entry.protection.drops)]) {
    total.short += each.short;
    total.epoch += each.epoch;
    total.duplicate += each.duplicate;
    total.forged += each.forged;
  }
  return total;
}
