import type { Bond } from "#bonds/bond.js";
import type { MemoryStats } from "#transport/endpointMemory.js";
import type { Client } from "./client.js";
import type { DeviceStats } from "./deviceStats.js";
import type { Discovered } from "./discovered.js";
import { NodeSession } from "./nodeSession.node.js";
import { type OpenOptions, createClient as open } from "./open.node.js";
import type { PairingWay, PairOptions } from "./runPairing.js";
import type { Target } from "./target.js";

/** The device of an application on Node that finds the PC and connects. */
export class NodeClient implements AsyncDisposable {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Bytes that all sessions together hold, and may hold. */
  get memory(): MemoryStats {
    return this.#client.memory;
  }

  /** Sessions, handshakes, drops, memory and queues of this moment: names and units in DeviceStats. */
  stats(): DeviceStats {
    return this.#client.stats();
  }

  /** This device's own id. */
  get device(): string {
    return this.#client.device;
  }

  /** Devices this one has paired with. */
  bonds(): Promise<readonly Bond[]> {
    return this.#client.bonds();
  }

  /** Devices on the network, as they appear; `first()` waits for one that is open to pairing. */
  discover(options: { readonly signal?: AbortSignal } = {}): Discovered {
    return this.#client.discover(options);
  }

  /** A device at a known address: `host:port`, or `host` for the default port. */
  at(address: string): Target {
    return this.#client.at(address);
  }

  /** The device that shows this link. Throws HandfastError BAD_LINK. */
  fromLink(text: string): Target {
    return this.#client.fromLink(text);
  }

  /**
   * Pairs with the PC at `target`, in the way that the person chose on both: `compare` asks whether the digits are the same and `false`
   * ends it on both sides, `enterCode` asks for the letters, `link` is what the PC shows, `secret` what both were given. Throws PairingError.
   */
  async pair(target: Target, options: PairingWay & PairOptions): Promise<Bond> {
    return (await this.#client.pair(target, options)).bond;
  }

  /** A session with the holder of `bond`. Throws NotReachableError, PeerForgotUsError. */
  async connect(bond: Bond, options: { readonly signal?: AbortSignal } = {}): Promise<NodeSession> {
    return new NodeSession(await this.#client.connect(bond, options));
  }

  /** A session, and another whenever one has ended, until the signal aborts. Throws PeerForgotUsError. */
  async *stayConnected(bond: Bond, options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<NodeSession> {
    for await (const peer of this.#client.stayConnected(bond, options)) yield new NodeSession(peer);
  }

  /** Drops the bond and ends the sessions. */
  forget(bond: Bond): Promise<boolean> {
    return this.#client.forget(bond);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Opens a client device. Throws StateError, PortUnavailableError, LogUnwritableError, HandfastError BAD_NAME. */
export async function createClient(options: OpenOptions): Promise<NodeClient> {
  return new NodeClient(await open(options));
}
