import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Address } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import type { PairedPeer, PairingIdentity } from "#pairing/exchange.js";
import { type InitiatorEvent, type InitiatorMethod, PairingInitiator } from "#pairing/initiator.js";
import type { ResponderMethod } from "#pairing/invitation.js";
import { parseLink } from "#pairing/link.js";
import { PairingResponder, type ResponderEvent } from "#pairing/responder.js";
import type { PairingAttempts } from "#pairing/window.js";
import { type Link, SimulatedNetwork } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { VirtualClock } from "../simulation/virtualClock.js";

export const PC: Address = { host: "10.0.0.1", port: 4760 };
export const PHONE: Address = { host: "10.0.0.2", port: 50_000 };

export interface PairingWorldOptions {
  readonly seed: number;
  readonly link?: Link;
  readonly crypto?: Crypto;
  readonly attempts?: PairingAttempts;
  /** What the people say; undefined: nothing. By default both say yes when the digits on both screens agree. */
  readonly phoneSays?: (own: string, other: string | undefined) => boolean | undefined;
  readonly pcSays?: (own: string, other: string | undefined) => boolean | undefined;
  readonly windowOpen?: boolean;
  readonly phoneAppId?: string;
  /** What the PC and what the phone can do with a bond. */
  readonly upgrades?: readonly [pc: number, phone: number];
  /** How the PC's person lets the phone in, and what the phone's person chose: by default the same. */
  readonly method?: ResponderMethod;
  readonly phoneMethod?: InitiatorMethod;
  /** What the phone's person types when the PC shows these letters; undefined: nothing. */
  readonly types?: (letters: string | undefined) => string | undefined;
  /** Whether the PC's person lets it in who knew the letters or the link; undefined: no answer. */
  readonly approves?: (peerName: string) => boolean | undefined;
  /** False: the disk never answers. */
  readonly stores?: boolean;
}

/** A PC and a phone that pair on the simulated network, with their people and their disks. */
export class PairingWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: SimulatedNetwork;
  readonly random: SeededRandom;
  readonly crypto: Crypto;
  readonly responder: PairingResponder;
  readonly pcPump: Pump;
  readonly pcEvents: ResponderEvent[] = [];
  readonly pcBonds: PairedPeer[] = [];
  readonly persisted: PairingAttempts[] = [];
  readonly #options: PairingWorldOptions;
  phone: Phone | undefined;
  pcDigits: { id: string; digits: string } | undefined;
  /** On the PC's screen. */
  letters: string | undefined;
  link: string | undefined;

  constructor(options: PairingWorldOptions) {
    this.#options = options;
    this.crypto = options.crypto ?? nativeCrypto;
    this.network = new SimulatedNetwork(this.clock, options.seed, options.link);
    this.random = new SeededRandom(options.seed + 77);
    const identity = { ...this.identity("Ana's PC"), upgrades: options.upgrades?.[0] ?? 0 };
    this.responder = this.responderWith(identity);
    const socket = this.network.socket(PC);
    this.pcPump = new Pump(this.responder, socket, this.clock, () => this.#onPc());
    socket.onDatagram((bytes, from) => this.pcPump.receive(bytes, from));
    if (options.windowOpen !== false) this.open();
  }

  responderWith(identity: PairingIdentity): PairingResponder {
    const { attempts = { failures: 0, windows: 0 } } = this.#options;
    return new PairingResponder({ crypto: this.crypto, random: this.random.bytes, identity, attempts });
  }

  phoneIdentity(): PairingIdentity {
    const { phoneAppId: appId, upgrades } = this.#options;
    return { ...this.identity("Ana's phone"), upgrades: upgrades?.[1] ?? 0, ...(appId !== undefined && { appId }) };
  }

  open(): void {
    const { method } = this.#options;
    this.responder.openWindow(method ? { method } : {}, this.clock.now());
    this.pcPump.turn();
  }

  identity(name: string): PairingIdentity {
    const pair = this.crypto.x25519KeyPair(this.random.bytes(32));
    return { staticPublic: pair.public, irk: this.random.bytes(16), name, platform: "test", appId: "handfast" };
  }

  start(address: Address = PHONE, method: InitiatorMethod = this.#phoneMethod()): Phone {
    const { stores, phoneSays = (a: string, b: string | undefined) => a === b, types = (a) => a } = this.#options;
    const phone = new Phone(this, address, method, stores !== false, {
      says: (own) => phoneSays(own, this.pcDigits?.digits),
      types: () => types(this.letters),
    });
    this.phone = phone;
    return phone;
  }

  /** Pairs, and lets time pass until both sides have said how it ended. */
  run(limitMs = 200_000): { phone: InitiatorEvent | undefined; pc: ResponderEvent | undefined } {
    const phone = this.start();
    this.clock.runUntil(() => phone.outcome !== undefined && this.pcOutcome !== undefined, limitMs);
    return { phone: phone.outcome, pc: this.pcOutcome };
  }

  #phoneMethod(): InitiatorMethod {
    const { phoneMethod, method } = this.#options;
    if (phoneMethod) return phoneMethod;
    if (method?.kind === "link") return { kind: "link", link: parseLink(this.link ?? "") };
    return method ?? { kind: "compare" };
  }

  get pcOutcome(): ResponderEvent | undefined {
    return this.pcEvents.findLast(({ type }) => type === "done" || type === "failed");
  }

  #onPc(): void {
    for (let event = this.responder.nextEvent(); event; event = this.responder.nextEvent()) {
      this.pcEvents.push(event);
      this.#act(event);
    }
  }

  #act(event: ResponderEvent): void {
    if (event.type === "persistAttempts") {
      this.persisted.push(event.attempts);
      const { id } = event;
      if (id !== undefined) this.#later(() => this.responder.attemptsPersisted(id, this.clock.now()));
    }
    if (event.type === "letters") this.letters = event.letters;
    if (event.type === "link") this.link = event.link;
    if (event.type === "approve") {
      const { id, peerName } = event;
      this.clock.schedule(2000, () => this.#approve(id, peerName));
    }
    if (event.type === "digits") {
      this.pcDigits = { id: event.id, digits: event.digits };
      const { id, digits } = event;
      this.clock.schedule(3000, () => this.#pcPerson(id, digits));
    }
    if (event.type === "provisional" && this.#options.stores !== false)
      this.#later(() => {
        this.pcBonds.push(event.peer);
        this.responder.bondStored(event.id);
      });
  }

  #pcPerson(id: string, digits: string): void {
    // Who sees nothing yet on the other screen waits.
    if (!this.#options.pcSays && this.phone && this.phone.digits === undefined && !this.phone.outcome) {
      this.clock.schedule(500, () => this.#pcPerson(id, digits));
      return;
    }
    const says = this.#options.pcSays ?? ((a: string, b: string | undefined) => a === b);
    const answer = says(digits, this.phone?.digits);
    if (answer === true) this.responder.confirm(id);
    if (answer === false) this.responder.reject(id, this.clock.now());
    this.pcPump.turn();
  }

  #approve(id: string, peerName: string): void {
    const { approves = () => true } = this.#options;
    const answer = approves(peerName);
    if (answer === true) this.responder.confirm(id);
    if (answer === false) this.responder.reject(id, this.clock.now());
    this.pcPump.turn();
  }

  #later(action: () => void): void {
    this.clock.schedule(1, () => {
      action();
      this.pcPump.turn();
    });
  }
}

/** What the person with the phone does. */
interface PhonePerson {
  readonly says: (own: string) => boolean | undefined;
  readonly types: () => string | undefined;
}

/** One attempt of a phone, with its person. */
export class Phone {
  readonly initiator: PairingInitiator;
  readonly pump: Pump;
  readonly bonds: PairedPeer[] = [];
  readonly events: InitiatorEvent[] = [];
  digits: string | undefined;

  constructor(world: PairingWorld, address: Address, method: InitiatorMethod, stores: boolean, person: PhonePerson) {
    const { crypto, clock } = world;
    const identity = world.phoneIdentity();
    const random = world.random.bytes;
    this.initiator = new PairingInitiator({ crypto, random, identity, to: PC, now: clock.now(), method });
    const socket = world.network.socket(address);
    this.pump = new Pump(this.initiator, socket, clock, () => {
      for (let event = this.initiator.nextEvent(); event; event = this.initiator.nextEvent()) {
        this.events.push(event);
        if (event.type === "digits") {
          const { digits } = event;
          this.digits = digits;
          clock.schedule(2500, () => this.#person(person.says(digits), clock));
        }
        if (event.type === "code") clock.schedule(2500, () => this.#type(person.types(), clock));
        if (event.type === "provisional" && stores) {
          this.bonds.push(event.peer);
          clock.schedule(1, () => this.#turn(() => this.initiator.bondStored()));
        }
      }
    });
    socket.onDatagram((bytes, from) => this.pump.receive(bytes, from));
    this.pump.turn();
  }

  get outcome(): InitiatorEvent | undefined {
    return this.events.findLast(({ type }) => type === "done" || type === "failed");
  }

  #person(answer: boolean | undefined, clock: VirtualClock): void {
    if (answer === true) this.#turn(() => this.initiator.confirm(clock.now()));
    if (answer === false) this.#turn(() => this.initiator.reject(clock.now()));
  }

  #type(letters: string | undefined, clock: VirtualClock): void {
    if (letters !== undefined) this.#turn(() => void this.initiator.enterCode(letters, clock.now()));
  }

  #turn(action: () => void): void {
    action();
    this.pump.turn();
  }
}

/** The code of an error, or the kind of an outcome. */
export function codeOf(event: InitiatorEvent | ResponderEvent | undefined): string {
  if (!event) return "none";
  return event.type === "failed" ? event.error.code : event.type;
}
