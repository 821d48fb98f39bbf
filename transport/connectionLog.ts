import type { Instant } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import type { ConnectionStats } from "./connectionStats.js";

/** One packet as its sealer or opener sees it. `payload`: the frames in clear; a view, copy what is kept. */
export interface LoggedPacket {
  readonly number: number;
  readonly epoch: number;
  /** UDP payload bytes. */
  readonly size: number;
  readonly payload: Uint8Array;
}

/** Who wants to see inside one connection. Never given keys. Absent by default: then it costs one branch a packet. */
export interface ConnectionLog {
  packetSent(packet: LoggedPacket, now: Instant): void;
  packetReceived(packet: LoggedPacket, now: Instant): void;
  /** Not authentic, a duplicate, or of an epoch that we do not hold. */
  packetDropped(size: number, now: Instant): void;
  packetLost(number: number, now: Instant): void;
  /** After each packet received. */
  metrics(stats: () => ConnectionStats, now: Instant): void;
  rekeyed(epoch: number): void;
  moved(to: { readonly host: string; readonly port: number }, now: Instant): void;
  closed(info: CloseInfo): void;
}
