import type { Emitter } from "#kernel/emitter.js";
import { Pump } from "#kernel/pump.js";
import type { PairedPeer, PairingIdentity } from "#pairing/exchange.js";
import type { ResponderMethod } from "#pairing/invitation.js";
import { PairingResponder, type ResponderEvent } from "#pairing/responder.js";
import type { HostChange, ResponderDrops } from "#pairing/responderEvents.js";
import type { Question as PairingQuestion } from "#pairing/responderStates.js";
import { bondFrom } from "./bondBook.js";
import { storageError } from "./bondErrors.js";
import type { DevicePorts } from "./devicePorts.js";
import type { Advertisement } from "./discoveryPort.js";
import { type PairingEvents, type PairingPeer, resembling } from "./pairingEvents.js";
import type { SharedPort } from "./sharedPort.js";

export interface OpenPairing {
  readonly seconds?: number;
  readonly attempts?: number;
  readonly method?: "compare" | "code" | "link";
  readonly secret?: Uint8Array;
  /** The person was told that ten tries in a row have failed, and wants letters all the same. */
  readonly insist?: boolean;
}

/** The pairing of a PC: its responder on the network, attempts and bonds on disk, and the questions to the person in front of it. */
export class PairingHost {
  readonly #ports: DevicePorts;
  readonly #responder: PairingResponder;
  readonly #pump: Pump;
  readonly #advertisement: Advertisement;
  readonly #to: Pick<Emitter<PairingEvents>, "emit">;

  /** `to`: who hears of it. */
  constructor(
    ports: DevicePorts,
    port: SharedPort,
    identity: PairingIdentity,
    advertisement: Advertisement,
    to: Pick<Emitter<PairingEvents>, "emit">,
  ) {
    const { store, crypto, random, clock, socket } = ports;
    this.#ports = ports;
    this.#advertisement = advertisement;
    this.#to = to;
    this.#responder = new PairingResponder({ crypto, random, identity, attempts: store.attempts() });
    this.#pump = new Pump(this.#responder, socket, clock, () => this.#progress());
    port.attach("pairing", this.#pump);
  }

  get isOpen(): boolean {
    return this.#responder.isOpen;
  }

  get drops(): ResponderDrops {
    return this.#responder.drops;
  }

  /** Throws RangeError for a poor secret, PairingError INSIST_NEEDED. */
  openWindow(options: OpenPairing): void {
    const { secret, method: kind = "compare", ...limits } = options;
    const { port } = this.#ports.socket;
    const addresses = this.#ports.discovery.addresses.map((host) => ({ host, port }));
    const other: ResponderMethod = kind === "link" ? { kind, addresses } : { kind };
    const method: ResponderMethod = secret ? { kind: "secret", secret } : other;
    this.#responder.openWindow({ ...limits, method }, this.#ports.clock.now());
    this.#pump.turn();
  }

  closeWindow(reason: "closed" | HostChange): void {
    this.#responder.closeWindow(this.#ports.clock.now(), reason);
    this.#pump.turn();
  }

  close(): void {
    this.closeWindow("closed");
    this.#pump.stop();
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
        this.#to.emit("pairing", { method: "compare", digits: event.digits, ...this.#question(event) });
        break;
      case "approve":
        this.#to.emit("pairingApproval", { method: event.method, ...this.#question(event) });
        break;
      case "letters":
        this.#to.emit("pairingCode", { letters: event.letters });
        break;
      case "link":
        this.#to.emit("pairingLink", { link: event.link });
        break;
      case "provisional":
        void this.#store(event.id, event.peer);
        break;
      case "failed":
        this.#to.emit("pairingFailed", { id: event.id, peerName: event.peerName, error: event.error });
        break;
      case "windowOpened":
        this.#advertisement.setPairing(true);
        this.#to.emit("pairingWindow", { open: true, seconds: event.seconds, reason: "opened", method: event.method });
        break;
      case "windowClosed":
        this.#advertisement.setPairing(false);
        this.#to.emit("pairingWindow", { open: false, seconds: 0, reason: event.reason });
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
      this.#pump.turn();
    };
    return {
      ...{ id, peer: { name, platform, ...resembling(name, this.#ports.store.bonds()) } },
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
      this.#to.emit("error", storageError(error));
    }
    this.#pump.turn();
  }

  async #saveAttempts({ attempts, id }: Extract<ResponderEvent, { type: "persistAttempts" }>): Promise<void> {
    const { store, clock } = this.#ports;
    try {
      await store.saveAttempts(attempts);
      if (id !== undefined) this.#responder.attemptsPersisted(id, clock.now());
    } catch (error) {
      if (id !== undefined) this.#responder.attemptsFailed(id, clock.now());
      this.#to.emit("error", storageError(error));
    }
    this.#pump.turn();
  }
}
