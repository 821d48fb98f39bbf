import type { Bond } from "#bonds/bond.js";
import { Emitter } from "#kernel/emitter.js";
import { HandfastError } from "#kernel/errors.js";
import { Pump } from "#kernel/pump.js";
import type { PairedPeer } from "#pairing/exchange.js";
import type { PairingError } from "#pairing/reasons.js";
import { PairingResponder, type ResponderEvent } from "#pairing/responder.js";
import { bondFrom, deviceIdOf, dropStale, forgetDevice } from "./bondBook.js";
import { DeviceChannel, type DevicePorts, type PeerSession } from "./channel.js";
import type { Advertisement } from "./discoveryPort.js";
import type { PairingRequest } from "./pairingEvents.js";
import { OWN_UPGRADES } from "./quantum.js";

export interface ServerOptions {
  readonly name: string;
  readonly platform: string;
  /** The application, as both sides must name it. */
  readonly service: string;
}

export interface ServerEvents {
  /** Somebody wants to pair; digits are on both screens. */
  pairing: readonly [PairingRequest];
  pairingFailed: readonly [{ readonly id: string; readonly peerName: string; readonly error: PairingError }];
  pairingWindow: readonly [{ readonly open: boolean; readonly seconds: number; readonly reason: string }];
  /** A new bond is confirmed. */
  paired: readonly [{ readonly device: string; readonly bond: Bond }];
  /** A bonded device has connected and proved itself. */
  session: readonly [PeerSession];
  error: readonly [HandfastError];
}

/** What has been dropped and why, for `status`. */
export type Drops = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** The PC: found by its clients, pairs with them while a person has opened the window, accepts their sessions. */
export class Server extends Emitter<ServerEvents> implements AsyncDisposable {
  readonly device: string;
  readonly #ports: DevicePorts;
  readonly #channel: DeviceChannel;
  readonly #responder: PairingResponder;
  readonly #pairing: Pump;
  readonly #advertisement: Advertisement;
  #closed: Promise<void> | undefined;

  constructor(ports: DevicePorts, options: ServerOptions) {
    super();
    const { store, crypto, random, clock, socket } = ports;
    this.#ports = ports;
    this.#channel = new DeviceChannel(ports, true);
    const staticPublic = this.#channel.keyPair.public;
    this.device = deviceIdOf(crypto, staticPublic);
    const irk = store.identity().irk.reveal();
    const { name, platform, service: appId } = options;
    const identity = { staticPublic, irk, name, platform, appId, upgrades: OWN_UPGRADES };
    this.#responder = new PairingResponder({ crypto, random, identity, attempts: store.attempts() });
    this.#pairing = new Pump(this.#responder, socket, clock, () => this.#progress());
    this.#channel.port.attach("pairing", this.#pairing);
    this.#channel.on("session", (peer) => this.#onSession(peer));
    this.#channel.on("error", (error) => this.emit("error", error));
    this.#advertisement = ports.discovery.advertise({ port: socket.port, irk, name: options.name });
    void dropStale(store, clock.wall()).catch((error: unknown) => this.#report(error));
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

  get drops(): Drops {
    const { port, drops } = this.#channel;
    return { port: { ...port.drops }, channel: { ...drops }, pairing: { ...this.#responder.drops } };
  }

  bonds(): readonly Bond[] {
    return this.#ports.store.bonds();
  }

  /** Lets strangers try to pair: for two minutes and three failures, unless said otherwise. */
  openPairing(options: { readonly seconds?: number; readonly attempts?: number } = {}): { close: () => void } {
    this.#responder.openWindow(options, this.#ports.clock.now());
    this.#pairing.turn();
    return { close: () => this.closePairing() };
  }

  closePairing(): void {
    this.#responder.closeWindow();
    this.#pairing.turn();
  }

  /** Drops the bond and ends the device's sessions at once. False when there is no such bond. */
  async forget(bond: Bond): Promise<boolean> {
    this.#channel.revoke(bond);
    const removed = await forgetDevice(this.#ports.store, bond, this.#ports.clock.wall());
    // Again: it may have connected while that was written.
    this.#channel.revoke(bond);
    return removed;
  }

  /** Says goodbye on the network and to every session. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    this.#pairing.stop();
    await this.#advertisement.close();
    await this.#channel.close();
    await this.#ports.discovery.close();
    await this.#ports.store.close();
  }

  #onSession(peer: PeerSession): void {
    if (peer.first) this.emit("paired", { device: peer.device, bond: peer.bond });
    this.emit("session", peer);
  }

  #progress(): void {
    for (let event = this.#responder.nextEvent(); event; event = this.#responder.nextEvent()) this.#onEvent(event);
  }

  #onEvent(event: ResponderEvent): void {
    const { store, clock } = this.#ports;
    switch (event.type) {
      case "persistAttempts":
        void this.#work(store.saveAttempts(event.attempts), () => {
          if (event.needed) this.#responder.attemptsPersisted(clock.now());
        });
        break;
      case "digits":
        this.emit("pairing", this.#request(event));
        break;
      case "provisional":
        void this.#store(event.id, event.peer);
        break;
      case "failed":
        this.emit("pairingFailed", { id: event.id, peerName: event.peerName, error: event.error });
        break;
      case "windowOpened":
        this.#advertisement.setPairing(true);
        this.emit("pairingWindow", { open: true, seconds: event.seconds, reason: "opened" });
        break;
      case "windowClosed":
        this.#advertisement.setPairing(false);
        this.emit("pairingWindow", { open: false, seconds: 0, reason: event.reason });
        break;
      default:
    }
  }

  #request(event: Extract<ResponderEvent, { type: "digits" }>): PairingRequest {
    const { id, digits, peerName: name, peerPlatform: platform } = event;
    const answer = (say: () => void): void => {
      say();
      this.#pairing.turn();
    };
    return {
      ...{ id, digits, peer: { name, platform } },
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

  /** After the write: go on. A write that fails leaves the attempt unanswered, so it times out without a bond. */
  async #work(write: Promise<void>, then: () => void): Promise<void> {
    try {
      await write;
      then();
      this.#pairing.turn();
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    const shown = error instanceof HandfastError ? error : new HandfastError("STORAGE_FAILED", String(error));
    this.emit("error", shown);
  }
}
