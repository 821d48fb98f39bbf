import type { Instant } from "#kernel/ports.js";
import type { ConnectionLog } from "./connectionLog.js";
import type { PartsOptions } from "./connectionParts.js";
import type { DatagramPool } from "./datagramPool.js";
import type { PacketProtection } from "./packet.js";
import type { Rekey } from "./rekey.js";

/** What a connection is made of and told at its beginning. */
export interface ConnectionOptions extends PartsOptions {
  readonly protection: PacketProtection;
  readonly rekey: Rekey;
  /** Send nothing, not even the end, before `release`: the first packet tells the peer that we are ready for good. */
  readonly held?: boolean;
  /** Initiator: when its first Init was made. */
  readonly dialledAt?: Instant | undefined;
  /** The largest UDP payload that the interface takes whole, 1200 to 65507: packets grow up to it by probing. */
  readonly maxDatagram?: number;
  /** Send a PING before the idle timeout would end the connection. */
  readonly keepAlive?: boolean;
  /** Rounds the size of every packet up: PROTOCOL.md §6.5. */
  readonly padTo?: number | undefined;
  /** Shared by all connections of one socket. */
  readonly pool: DatagramPool;
  /** A command left something to send, or to forget: `nextDatagram` wants to be asked. */
  readonly onWork?: () => void;
  readonly log?: ConnectionLog | undefined;
}
