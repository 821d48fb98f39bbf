import type { Crypto, KeyPair } from "#crypto/crypto.js";
import type { HandfastError } from "#kernel/errors.js";
import type { Address, Instant, RandomSource } from "#kernel/ports.js";
import type { InitDrops, Lookup } from "./acceptor.js";
import type { Connection } from "./connection.js";
import type { ConnectionLog } from "./connectionLog.js";
import type { ControllerName } from "./controllers.js";
import type { PacketDrops } from "./packet.js";
import type { TransportParameters } from "./params.js";
import type { RekeyLimits } from "./rekeyLimits.js";

/** What an endpoint is given. */
export interface EndpointOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly identity: KeyPair;
  /** Finds a bond by the peer's static key. */
  readonly lookup: Lookup;
  /** False: nobody can connect to us; we only dial. */
  readonly accept: boolean;
  /** 32 bytes that outlive the process. */
  readonly resetKey: Uint8Array;
  readonly now: Instant;
  readonly parameters?: TransportParameters;
  /** UDP payload bytes of a full packet to this address. */
  readonly maxDatagram?: (to: Address) => number;
  readonly keepAlive?: boolean;
  /** Bytes that all connections together may hold of what was sent to us and of what we send; 256 MiB unless said, at least 16. */
  readonly memoryLimit?: number | undefined;
  /** Rounds the size of every data packet up to a multiple of so many bytes, 1 to 1200: PROTOCOL.md §6.5. */
  readonly padTo?: number | undefined;
  readonly congestion?: ControllerName;
  readonly rekeyLimits?: RekeyLimits;
  /** Who wants to see inside a new connection. `cid`: our first connection ID; `clientCid`: the initiator's, the same for both ends. */
  readonly log?: (connection: {
    readonly role: "initiator" | "responder";
    readonly cid: Uint8Array;
    readonly clientCid: Uint8Array;
    readonly now: Instant;
  }) => ConnectionLog | undefined;
  /** Takes lines with the secrets of every connection, PROTOCOL.md §13: whoever has them reads everything. */
  readonly keyLog?: (line: string) => void;
}

export interface ConnectOptions {
  readonly to: readonly Address[];
  readonly peerStatic: Uint8Array;
  /** The bond's secret, 32 bytes. */
  readonly psk: Uint8Array;
  /** More secrets of the bond: see DialOptions. */
  readonly older?: readonly Uint8Array[];
  readonly lineages?: readonly Uint8Array[];
  readonly hints?: readonly Uint8Array[];
  /** The connection sends nothing before its `release`: what it rests on must be on disk first. */
  readonly hold?: boolean;
  readonly id: string;
  readonly timeoutMs?: number;
}

export type EndpointEvent =
  | {
      readonly type: "connected";
      readonly connection: Connection;
      readonly peerId: string;
      readonly peerStatic: Uint8Array;
      readonly exporter: Uint8Array;
      /** The bond secret that both ends have proved. */
      readonly psk: Uint8Array;
      /** The dial that led here; undefined when the peer dialled. */
      readonly dial: number | undefined;
    }
  /** Both ends have proved the bond, but one of them holds secrets that are not the newest. No session. */
  | {
      readonly type: "copied";
      readonly peerId: string;
      readonly peerStatic: Uint8Array;
      readonly dial: number | undefined;
    }
  | { readonly type: "failed"; readonly dial: number; readonly error: HandfastError };

export interface EndpointDrops extends InitDrops, PacketDrops {
  unknownConnection: number;
  unexpected: number;
}
