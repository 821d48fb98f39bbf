import type { Bond } from "#bonds/bond.js";
import { Emitter } from "#kernel/emitter.js";
import type { MemoryStats } from "#transport/endpointMemory.js";
import { deviceIdOf, dropStale } from "./bondBook.js";
import { storageError } from "./bondErrors.js";
import { DeviceChannel, type PeerSession } from "./channel.js";
import type { DevicePorts } from "./devicePorts.js";
import type { DeviceStats, Drops, Warnings } from "./deviceStats.js";
import type { Advertisement } from "./discoveryPort.js";
import type { PairingEvents } from "./pairingEvents.js";
import { type OpenPairing, PairingHost } from "./pairingHost.js";
import { OWN_UPGRADES } from "./quantum.js";

export interface ServerOptions {
  readonly name: string;
  readonly platform: string;
  /** The application, as both sides must name it. */
  readonly service: string;
}

export interface ServerEvents extends PairingEvents {
  /** A new bond is confirmed. */
  paired: readonly [{ readonly device: string; readonly bond: Bond }];
  /** A bonded device has connected and proved itself. */
  session: readonly [PeerSession];
}

const SWEEP_MS = 60 * 60_000;

/** The PC: found by its clients, pairs with them while a person has opened the window, accepts their sessions. */
export class Server extends Emitter<ServerEvents> implements AsyncDisposable {
  readonly device: string;
  readonly #ports: DevicePorts;
  readonly #channel: DeviceChannel;
  readonly #pairing: PairingHost;
  readonly #advertisement: Advertisement;
  #closed: Promise<void> | undefined;

  #cancelSweep: () => void = () => {};

  constructor(ports: DevicePorts, options: ServerOptions) {
    super();
    const { store, crypto, socket } = ports;
    this.#ports = ports;
    this.#channel = new DeviceChannel(ports, true);
    const staticPublic = this.#channel.keyPair.public;
    this.device = deviceIdOf(crypto, staticPublic);
    const irk = store.identity().irk.reveal();
    const { name, service, platform } = options;
    const identity = { staticPublic, irk, name, platform, appId: service, upgrades: OWN_UPGRADES };
    this.#channel.on("session", (peer) => this.#onSession(peer));
    this.#channel.on("hostChanged", (change) => this.#pairing.closeWindow(change));
    this.#channel.on("error", (error) => this.emit("error", error));
    this.#advertisement = ports.discovery.advertise({ port: socket.port, irk, name, service });
    this.#pairing = new PairingHost(ports, this.#channel.port, identity, this.#advertisement, this);
    this.#dropStale();
  }

  get port(): number {
    return this.#ports.socket.port;
  }

  get addresses(): readonly string[] {
    return this.#ports.discovery.addresses;
  }

  get pairingOpen(): boolean {
    return this.#pairing.isOpen;
  }

  /** Attempts to pair that failed since the last success; a restart does not reset it. */
  get failedPairings(): number {
    return this.#ports.store.attempts().failures;
  }

  /** What keeps us from finding and being found: a sentence for the person each. */
  get networkProblems(): readonly string[] {
    return this.#ports.discovery.status?.problems ?? [];
  }

  /** Bytes that all sessions together hold, and may hold. */
  get memory(): MemoryStats {
    return this.#channel.memory;
  }

  /** What has been dropped and why, for `status`. */
  get drops(): Drops {
    return { ...this.#channel.drops, pairing: { ...this.#pairing.drops } };
  }

  /** What the person should know of, and how often it was, for `status`. */
  get warnings(): Warnings {
    return { ...this.#channel.warnings };
  }

  /** Sessions, handshakes, drops, memory and queues of this moment. */
  stats(): DeviceStats {
    return { ...this.#channel.stats(), drops: this.drops };
  }

  bonds(): readonly Bond[] {
    return this.#ports.store.bonds();
  }

  /** The id of the device that holds this bond: 16 hex digits, the same on every device that knows it. */
  deviceOf(bond: Bond): string {
    return deviceIdOf(this.#ports.crypto, bond.peerStatic);
  }

  /**
   * Lets strangers try to pair, in one way: for two minutes and three failures, unless said otherwise.
   * `compare` (the default) asks in `pairing`; `code` and `link` show something first and ask in `pairingApproval`;
   * `secret`, 16 to 64 random bytes that the client was given too, asks nobody. Throws RangeError for any other secret,
   * PairingError INSIST_NEEDED for `code` after ten failures in a row (`failedPairings`) without `insist`.
   */
  openPairing(options: OpenPairing = {}): { close: () => void } {
    this.#pairing.openWindow(options);
    return { close: () => this.closePairing() };
  }

  closePairing(): void {
    this.#pairing.closeWindow("closed");
  }

  /** Drops the bond and ends the device's sessions at once. False when there is no such bond. */
  async forget(bond: Bond): Promise<boolean> {
    return await this.#channel.forget(bond);
  }

  /** Says goodbye on the network and to every session. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Now and every hour: a PC may run for months. */
  #dropStale(): void {
    const { store, clock } = this.#ports;
    void dropStale(store, clock.wall()).catch((error: unknown) => this.emit("error", storageError(error)));
    this.#cancelSweep = clock.schedule(SWEEP_MS, () => this.#dropStale());
  }

  async #close(): Promise<void> {
    this.#cancelSweep();
    this.#pairing.close();
    await this.#advertisement.close();
    await this.#channel.close();
    await this.#ports.discovery.close();
    await this.#ports.store.close();
  }

  #onSession(peer: PeerSession): void {
    if (peer.first) this.emit("paired", { device: peer.device, bond: peer.bond });
    this.emit("session", peer);
  }
}
