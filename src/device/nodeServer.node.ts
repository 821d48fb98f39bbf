import type { Bond } from "#bonds/bond.js";
import { Emitter } from "#kernel/emitter.js";
import type { HandfastError } from "#kernel/errors.js";
import type { MemoryStats } from "#transport/endpointMemory.js";
import type { DeviceStats } from "./deviceStats.js";
import { NodeSession, type Peer } from "./nodeSession.node.js";
import { type OpenOptions, createServer as open } from "./open.node.js";
import type { PairingRequest } from "./pairingEvents.js";
import type { OpenPairing } from "./pairingHost.js";
import type { Server, ServerEvents } from "./server.js";

export interface NodeServerEvents {
  /** Somebody wants to pair, and both screens show digits. Answer once, by `confirm` or `reject`. */
  pairing: readonly [PairingRequest];
  pairingApproval: ServerEvents["pairingApproval"];
  pairingCode: ServerEvents["pairingCode"];
  pairingLink: ServerEvents["pairingLink"];
  pairingFailed: ServerEvents["pairingFailed"];
  pairingWindow: ServerEvents["pairingWindow"];
  paired: readonly [Peer];
  /** A bonded device has connected and proved itself. */
  session: readonly [NodeSession];
  error: readonly [HandfastError];
}

/** The PC of an application on Node. */
export class NodeServer extends Emitter<NodeServerEvents> implements AsyncDisposable {
  readonly #server: Server;

  constructor(server: Server) {
    super();
    this.#server = server;
    server.on("pairing", (request) => this.emit("pairing", request));
    server.on("pairingApproval", (request) => this.emit("pairingApproval", request));
    server.on("pairingCode", (code) => this.emit("pairingCode", code));
    server.on("pairingLink", (link) => this.emit("pairingLink", link));
    server.on("pairingFailed", (failure) => this.emit("pairingFailed", failure));
    server.on("pairingWindow", (change) => this.emit("pairingWindow", change));
    server.on("paired", ({ device, bond }) =>
      this.emit("paired", { id: device, name: bond.name, platform: bond.platform }),
    );
    server.on("session", (peer) => this.emit("session", new NodeSession(peer)));
    server.on("error", (error) => this.emit("error", error));
  }

  /** Bytes that all sessions together hold, and may hold. */
  get memory(): MemoryStats {
    return this.#server.memory;
  }

  /** Sessions, handshakes, drops, memory and queues of this moment: names and units in DeviceStats. */
  stats(): DeviceStats {
    return this.#server.stats();
  }

  /** This device's own id. */
  get device(): string {
    return this.#server.device;
  }

  get port(): number {
    return this.#server.port;
  }

  /** Our own addresses on the networks in use. */
  get addresses(): readonly string[] {
    return this.#server.addresses;
  }

  bonds(): readonly Bond[] {
    return this.#server.bonds();
  }

  /**
   * Lets strangers try to pair, in one way (`compare` unless said otherwise): for two minutes and three failures, unless said otherwise.
   * Closed by default. Throws RangeError for a secret that has not 16 to 64 bytes, PairingError INSIST_NEEDED for
   * `code` after ten failures in a row, unless the person was told and `insist` is set.
   */
  openPairing(options: OpenPairing = {}): { close: () => void } {
    return this.#server.openPairing(options);
  }

  /** Drops the bond and ends the device's sessions at once. */
  forget(bond: Bond): Promise<boolean> {
    return this.#server.forget(bond);
  }

  /** Says goodbye on the network and to every session. */
  close(): Promise<void> {
    return this.#server.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Opens a PC: announces it, accepts bonded devices. Throws StateError, PortUnavailableError, LogUnwritableError, HandfastError BAD_NAME. */
export async function createServer(options: OpenOptions): Promise<NodeServer> {
  return new NodeServer(await open(options));
}
