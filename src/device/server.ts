import type { Bond } from "#bonds/bond.js";
import { Emitter } from "#kernel/emitter.js";
import { HandfastError } from "#kernel/errors.js";
import { Pump } from "#kernel/pump.js";
import type { PairedPeer } from "#pairing/exchange.js";
import type { ResponderMethod } from "#pairing/invitation.js";
import type { PairingError } from "#pairing/reasons.js";
import { PairingResponder, type ResponderEvent } from "#pairing/responder.js";
import type { HostChange } from "#pairing/responderEvents.js";
import type { Question as PairingQuestion } from "#pairing/responderStates.js";
import type { MemoryStats } from "#transport/endpointMemory.js";
import { bondFrom, deviceIdOf, dropStale } from "./bondBook.js";
import { DeviceChannel, type DevicePorts, type PeerSession } from "./channel.js";
import type { DeviceStats, Drops, Warnings } from "./deviceStats.js";
import type { Advertisement } from "./discoveryPort.js";
import {
  type ApprovalRequest,
  type PairingPeer,
  type PairingRequest,
  type PairingWindowMethod,
  resembling,
} from "./pairingEvents.js";
import { OWN_UPGRADES } from "./quantum.js";

export interface ServerOptions {
  readonly name: string;
  readonly platform: string;
  /** The application, as both sides must name it. */
  readonly service: string;
}

export interface OpenPairing {
  readonly seconds?: number;
  readonly attempts?: number;
  readonly method?: "compare" | "code" | "link";
  readonly secret?: Uint8Array;
  /** The person was told that ten tries in a row have failed, and wants letters all the same. */
  readonly insist?: boolean;
}

export interface ServerEvents {
  /** Somebody wants to pair; digits are on both screens. */
  pairing: readonly [PairingRequest];
  /** Somebody knew the letters or the link; the person here has the last word. */
  pairingApproval: readonly [ApprovalRequest];
  /** Show these five letters, to be typed on the client. They replace those before, and end with the window. */
  pairingCode: readonly [{ readonly letters: string }];
  /** Show this link, as text or as a QR code, where only the right person sees it. It replaces the one before, and ends with the window. */
  pairingLink: readonly [{ readonly link: string }];
  pairingFailed: readonly [{ readonly id: string; readonly peerName: string; readonly error: PairingError }];
  pairingWindow: readonly [
    {
      readonly open: boolean;
      readonly seconds: number;
      readonly reason: string;
      /** Of a window that opens. */
      readonly method?: PairingWindowMethod;
    },
  ];
  /** A new bond is confirmed. */
  paired: readonly [{ readonly device: string; readonly bond: Bond }];
  /** A bonded device has connected and proved itself. */
  session: readonly [PeerSession];
  error: readonly [HandfastError];
}

const SWEEP_MS = 60 * 60_000;

/** The PC: found by its clients, pairs with them while a person has opened the window, accepts their sessions. */
export class Server extends Emitter<ServerEvents> implements AsyncDisposable {
  readonly device: string;
  readonly #ports: DevicePorts;
  readonly #channel: DeviceChannel;
  readonly #responder: PairingResponder;
  readonly #pairing: Pump;
  readonly #advertisement: Advertisement;
  #closed: Promise<void> | undefined;

  #cancelSweep: () => void = () => {};

  constructor(ports: DevicePorts, options: ServerOptions) {
    super();
    const { store, crypto, random, clock, socket } = ports;
    this.#ports = ports;
    this.#channel = new DeviceChannel(ports, true);
    const staticPublic = this.#channel.keyPair.public;
    this.device = deviceIdOf(crypto, staticPublic);
    const irk = store.identity().irk.reveal();
    const { name, service, platform } = options;
    const identity = { staticPublic, irk, name, platform, appId: service, upgrades: OWN_UPGRADES };
    this.#responder = new PairingResponder({ crypto, random, identity, attempts: store.attempts() });
    this.#pairing = new Pump(this.#responder, socket, clock, () => this.#progress());
    this.#channel.port.attach("pairing", this.#pairing);
    this.#channel.on("session", (peer) => this.#onSession(peer));
    this.#channel.on("hostChanged", (change) => this.#closePairing(change));
    this.#channel.on("error", (error) => this.emit("error", error));
    this.#advertisement = ports.discovery.advertise({ port: socket.port, irk, name, service });
    this.#dropStale();
  }

  get port(): number {
    return this.#ports.socket.port;
  }

  get addresses(): readonly string[] {
    return this.#ports.discovery.addresses;
  }

  get pairingOpen(): boolean {
    return this.#responder.isOpen;
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
    return { ...this.#channel.drops, pairing: { ...this.#responder.drops } };
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
    const { secret, method: kind = "compare", ...limits } = options;
    const addresses = this.addresses.map((host) => ({ host, port: this.port }));
    const other: ResponderMethod = kind === "link" ? { kind, addresses } : { kind };
    const method: ResponderMethod = secret ? { kind: "secret", secret } : other;
    this.#responder.openWindow({ ...limits, method }, this.#ports.clock.now());
    this.#pairing.turn();
    return { close: () => this.closePairing() };
  }

  closePairing(): void {
    this.#closePairing("closed");
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
    void dropStale(store, clock.wall()).catch((error: unknown) => this.#report(error));
    this.#cancelSweep = clock.schedule(SWEEP_MS, () => this.#dropStale());
  }

  async #close(): Promise<void> {
    this.#cancelSweep();
    this.closePairing();
    this.#pairing.stop();
    await this.#advertisement.close();
    await this.#channel.close();
    await this.#ports.discovery.close();
    await this.#ports.store.close();
  }

  #closePairing(reason: "closed" | HostChange): void {
    this.#responder.closeWindow(this.#ports.clock.now(), reason);
    this.#pairing.turn();
  }

  #onSession(peer: PeerSession): void {
    if (peer.first) this.emit("paired", { device: peer.device, bond: peer.bond });
    this.emit("session", peer);
  }

  #progress(): void {
    for (let event = this.#responder.nextEvent(); event; event = this.#responder.nextEvent()) this.#onEvent(event);
  }

  #onEvent(event: ResponderEvent): void {
    switch (event.type) {
      case "persistAttempts":
        void this.#saveAttempts(event);
        break;
      case "digits":
        this.emit("pairing", { method: "compare", digits: event.digits, ...this.#question(event) });
        break;
      case "approve":
        this.emit("pairingApproval", { method: event.method, ...this.#question(event) });
        break;
      case "letters":
        this.emit("pairingCode", { letters: event.letters });
        break;
      case "link":
        this.emit("pairingLink", { link: event.link });
        break;
      case "provisional":
        void this.#store(event.id, event.peer);
        break;
      case "failed":
        this.emit("pairingFailed", { id: event.id, peerName: event.peerName, error: event.error });
        break;
      case "windowOpened":
        this.#advertisement.setPairing(true);
        this.emit("pairingWindow", { open: true, seconds: event.seconds, reason: "opened", method: event.method });
        break;
      case "windowClosed":
        this.#advertisement.setPairing(false);
        this.emit("pairingWindow", { open: false, seconds: 0, reason: event.reason });
        break;
      default:
    }
  }

  #question({ id, peerName: name, peerPlatform: platform }: PairingQuestion): {
    readonly id: string;
    readonly peer: PairingPeer;
    confirm(): void;
    reject(): void;
  } {
    const answer = (say: () => void): void => {
      say();
      this.#pairing.turn();
    };
    return {
      ...{ id, peer: { name, platform, ...resembling(name, this.bonds()) } },
      confirm: () => answer(() => this.#responder.confirm(id)),
      reject: () => answer(() => this.#responder.reject(id, this.#ports.clock.now())),
    };
  }

  async #store(id: string, peer: PairedPeer): Promise<void> {
    const { store, clock } = this.#ports;
    try {
      await store.put(bondFrom(peer, clock.wall()));
      this.#responder.bondStored(id);
    } catch (error) {
      this.#responder.bondFailed(id, clock.now());
      this.#report(error);
    }
    this.#pairing.turn();
  }

  async #saveAttempts({ attempts, id }: Extract<ResponderEvent, { type: "persistAttempts" }>): Promise<void> {
    const { store, clock } = this.#ports;
    try {
      await store.saveAttempts(attempts);
      if (id !== undefined) this.#responder.attemptsPersisted(id, clock.now());
    } catch (error) {
      if (id !== undefined) this.#responder.attemptsFailed(id, clock.now());
      this.#report(error);
    }
    this.#pairing.turn();
  }

  #report(error: unknown): void {
    const shown = error instanceof HandfastError ? error : new HandfastError("STORAGE_FAILED", String(error));
    this.emit("error", shown);
  }
}
