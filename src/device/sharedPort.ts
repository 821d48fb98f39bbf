import type { Address, DatagramSocket } from "#kernel/ports.js";
import type { Pump } from "#kernel/pump.js";

/** Why a datagram reached no machine. */
export interface PortDrops {
  empty: number;
  reserved: number;
  unclaimed: number;
}

/**
 * One UDP port for pairing and for the channel: the top two bits of a datagram decide who reads it (src/device/PROTOCOL.md §1).
 * Whatever nobody reads is counted and never answered.
 */
export class SharedPort {
  readonly drops: PortDrops = { empty: 0, reserved: 0, unclaimed: 0 };
  readonly socket: DatagramSocket;
  readonly #pairing = new Set<Pump>();
  readonly #transport = new Set<Pump>();

  constructor(socket: DatagramSocket) {
    this.socket = socket;
    socket.onDatagram((bytes, from) => this.#route(bytes, from));
  }

  /** Returns the way to detach again. Several pairing machines may listen: each knows its own by the pairing id. */
  attach(kind: "pairing" | "transport", pump: Pump): () => void {
    const pumps = kind === "pairing" ? this.#pairing : this.#transport;
    pumps.add(pump);
    return () => pumps.delete(pump);
  }

  #route(bytes: Uint8Array, from: Address): void {
    const first = bytes[0];
    if (first === undefined) {
      this.drops.empty++;
      return;
    }
    const pumps = PLANES[first >> 6];
    if (pumps === undefined) {
      this.drops.reserved++;
      return;
    }
    const readers = pumps === "pairing" ? this.#pairing : this.#transport;
    if (readers.size === 0) this.drops.unclaimed++;
    for (const pump of readers) pump.receive(bytes, from);
  }
}

const PLANES = [undefined, "transport", "pairing", "transport"] as const;
