import type { BondStore } from "#bonds/store.js";
import type { Crypto } from "#crypto/crypto.js";
import type { Address, Clock, DatagramSocket, RandomSource } from "#kernel/ports.js";
import type { Endpoint } from "#transport/endpoint.js";
import type { EndpointOptions } from "#transport/endpointTypes.js";
import type { RekeyLimits } from "#transport/rekeyLimits.js";
import type { Discovery } from "./discoveryPort.js";

/** Everything a device is made of. */
export interface DevicePorts {
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly crypto: Crypto;
  readonly socket: DatagramSocket;
  readonly store: BondStore;
  readonly discovery: Discovery;
  /** UDP payload bytes of a full packet to this address. */
  readonly maxDatagram?: (to: Address) => number;
  readonly rekeyLimits?: RekeyLimits;
  /** Bytes that all sessions together may hold. */
  readonly memoryLimit?: number | undefined;
  /** Rounds the size of every data packet up to a multiple of so many bytes. */
  readonly padTo?: number | undefined;
  /** How late timers are, where somebody wants to know. */
  readonly loopLag?: { p99Ms(): number; stop(): void } | undefined;
  /** For looking inside: transport/PROTOCOL.md §13. */
  readonly log?: EndpointOptions["log"];
  readonly keyLog?: EndpointOptions["keyLog"];
  /** Tells `listener`, and then calls `after`, when this machine has slept or is on another network. Returns how to stop. */
  readonly watchHost?: (listener: Pick<Endpoint, "networkChanged" | "resume">, after: () => void) => () => void;
}
