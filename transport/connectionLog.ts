import type { Address, Instant } from "#kernel/ports.js";
import type { CloseInfo } from "./closing.js";
import type { ConnectionStats } from "./connectionStats.js";
import type { PacketDrops } from "./packet.js";

/** One packet as its sealer or opener sees it. `payload`: the frames in clear; a view, copy what is kept. */
export interface LoggedPacket {
  readonly number: number;
  readonly epoch: number;
  /** UDP payload bytes. */
  readonly size: number;
  readonly payload: Uint8Array;
}

/** How far the renewal of keys is: PROTOCOL.md §4. */
export type RekeyStep = "requested" | "started" | "answered" | "confirmed";

/**
 * Who wants to see inside one connection. Numbers and words that are there anyway: nothing is put together for it.
 * Never given keys. Absent by default: then it costs one branch a packet.
 */
export interface ConnectionLog {
  packetSent(packet: LoggedPacket, now: Instant): void;
  packetReceived(packet: LoggedPacket, now: Instant): void;
  handshakeSent(kind: "init" | "response", size: number, now: Instant): void;
  handshakeReceived(kind: "init" | "response" | "cookie", size: number, now: Instant): void;
  packetDropped(reason: keyof PacketDrops, size: number, now: Instant): void;
  /** `late`: it took too long; otherwise so many that left after it have arrived. `probe`: it asked whether its size gets through. */
  packetLost(number: number, late: boolean, probe: boolean, now: Instant): void;
  /** Was given up, and has arrived. */
  spuriousLoss(number: number, now: Instant): void;
  /** `count`: in a row, without an answer. */
  probeTimeout(count: number, now: Instant): void;
  /** Full packets have this size from now on. */
  packetSize(size: number, now: Instant): void;
  /** After each packet received. `state`: of the congestion controller. */
  metrics(state: string, stats: () => ConnectionStats, now: Instant): void;
  rekey(step: RekeyStep, epoch: number, now: Instant): void;
  keysInstalled(epoch: number, now: Instant): void;
  keysDiscarded(epoch: number, now: Instant): void;
  path(change: "moved" | "suspect" | "answers" | "networkChanged", peer: Address, now: Instant): void;
  /** The device slept; for so long `now` stood still. */
  resumed(hiddenMs: number, now: Instant): void;
  /** The last word. Said again, it means nothing. */
  closed(info: CloseInfo): void;
}
