import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { toHex } from "#kernel/bytes.js";
import type { Address, Clock } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import type { Connection } from "#transport/connection.js";
import { Endpoint } from "#transport/endpoint.js";
import type { EndpointEvent, EndpointOptions } from "#transport/endpointTypes.js";
import { Session } from "#transport/session.js";
import { type Link, SimulatedNetwork } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { VirtualClock } from "../simulation/virtualClock.js";

export const SERVER: Address = { host: "10.0.0.1", port: 4760 };
export const CLIENT: Address = { host: "10.0.0.2", port: 50_000 };

export type SimulatedSocket = ReturnType<SimulatedNetwork["socket"]>;

/** One end on the simulated network: endpoint, pump, and the sessions it came to hold. */
export class ChannelEnd {
  readonly endpoint: Endpoint;
  readonly pump: Pump;
  readonly socket: SimulatedSocket;
  readonly sessions: Session[] = [];
  readonly events: EndpointEvent[] = [];
  readonly options: EndpointOptions;
  readonly #clock: Clock;
  readonly #open = new Map<Connection, Session>();

  constructor(world: ChannelWorld, address: Address, options: EndpointOptions, clock: Clock = world.clock) {
    this.options = options;
    this.#clock = clock;
    this.endpoint = new Endpoint(options);
    this.socket = world.network.socket(address);
    this.pump = new Pump(this.endpoint, this.socket, clock, () => this.#progress(options.crypto));
    this.socket.onDatagram((bytes, from) => this.pump.receive(bytes, from));
  }

  get session(): Session | undefined {
    return this.sessions.at(-1);
  }

  #progress(crypto: Crypto): void {
    for (let event = this.endpoint.nextEvent(); event; event = this.endpoint.nextEvent()) {
      this.events.push(event);
      if (event.type !== "connected") continue;
      const { connection, exporter, peerId } = event;
      const turn = (): void => this.pump.turn();
      const session = new Session({ connection, clock: this.#clock, crypto, turn, exporter, peerId });
      this.sessions.push(session);
      this.#open.set(connection, session);
    }
    for (let changed = this.endpoint.nextChanged(); changed; changed = this.endpoint.nextChanged()) {
      const session = this.#open.get(changed);
      session?.progress();
      if (session?.closeInfo) this.#open.delete(changed);
    }
  }
}

export interface WorldOptions {
  readonly seed: number;
  readonly link?: Link;
  readonly crypto?: Crypto;
  readonly endpoint?: Partial<EndpointOptions>;
  /** What the client takes for the time. */
  readonly clientClock?: (clock: VirtualClock) => Clock;
}

/** A server and a client that share a bond, on a simulated network. */
export class ChannelWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: SimulatedNetwork;
  readonly random: SeededRandom;
  readonly crypto: Crypto;
  readonly psk: Uint8Array;
  readonly serverKey: KeyPair;
  readonly clientKey: KeyPair;
  server: ChannelEnd;
  readonly client: ChannelEnd;
  readonly #clientClock: Clock;
  /** What the server finds for the client's key. */
  bond: { psk: Uint8Array; id: string } | "forgotten" | undefined;

  constructor(options: WorldOptions) {
    this.network = new SimulatedNetwork(this.clock, options.seed, options.link);
    this.random = new SeededRandom(options.seed + 1_000_003);
    this.crypto = options.crypto ?? nativeCrypto;
    this.psk = this.random.bytes(32);
    this.serverKey = this.crypto.x25519KeyPair(this.random.bytes(32));
    this.clientKey = this.crypto.x25519KeyPair(this.random.bytes(32));
    this.bond = { psk: this.psk, id: "client" };
    const shared = {
      crypto: this.crypto,
      random: this.random.bytes,
      resetKey: this.random.bytes(32),
      now: this.clock.now(),
    };
    const lookup: EndpointOptions["lookup"] = (key) =>
      equal(key, this.clientKey.public) ? this.bond : this.#bonds.get(toHex(key));
    this.server = new ChannelEnd(this, SERVER, {
      ...shared,
      identity: this.serverKey,
      lookup,
      accept: true,
      ...options.endpoint,
    });
    this.#clientClock = options.clientClock?.(this.clock) ?? this.clock;
    const client = { ...shared, identity: this.clientKey, lookup: () => undefined, accept: false };
    this.client = new ChannelEnd(this, CLIENT, { ...client, ...options.endpoint }, this.#clientClock);
  }

  /** The server's process ends without a word and starts anew; only what lies on its disk is still there. */
  restartServer(overrides: Partial<EndpointOptions> = {}): void {
    this.server.pump.stop();
    this.server = new ChannelEnd(this, SERVER, { ...this.server.options, ...overrides, now: this.clock.now() });
  }

  /** Another client with a bond of its own. */
  addClient(address: Address, id: string): ChannelEnd {
    const { identity } = this.addBond(id);
    return new ChannelEnd(this, address, { ...this.client.options, identity, now: this.clock.now() });
  }

  /** What another client would know. */
  addBond(id: string): { readonly identity: KeyPair; readonly psk: Uint8Array } {
    const identity = this.crypto.x25519KeyPair(this.random.bytes(32));
    const bond = { psk: this.random.bytes(32), id };
    this.others.push({ bond });
    this.#bonds.set(toHex(identity.public), bond);
    return { identity, psk: bond.psk };
  }

  readonly #bonds = new Map<string, { readonly psk: Uint8Array; readonly id: string }>();
  /** The bonds of the clients that were added, in order. */
  readonly others: { readonly bond: { readonly psk: Uint8Array; readonly id: string } }[] = [];

  /** Starts the client's dial. */
  dial(
    overrides: { readonly psk?: Uint8Array; readonly to?: readonly Address[]; readonly timeoutMs?: number } = {},
  ): void {
    const peerStatic = this.serverKey.public;
    this.client.endpoint.connect(
      { to: [SERVER], peerStatic, psk: this.psk, id: "server", ...overrides },
      this.#clientClock.now(),
    );
    this.client.pump.turn();
  }

  /** Dials, again after each failure as a device does, until both ends hold a live session. */
  async connected(limitMs = 20_000): Promise<{ client: Session; server: Session }> {
    for (let tries = 0; tries < 5; tries++) {
      this.dial();
      const before = this.client.events.length;
      const failed = (): boolean => this.client.events.slice(before).some(({ type }) => type === "failed");
      await this.clock.runUntilAsync(() => this.#live() !== undefined || failed(), limitMs);
      const live = this.#live();
      if (live) return live;
    }
    throw new Error("no connection came about");
  }

  #live(): { client: Session; server: Session } | undefined {
    const { session: client } = this.client;
    const { session: server } = this.server;
    return client && server && !client.closeInfo && !server.closeInfo ? { client, server } : undefined;
  }

  /** Lets virtual time pass until the promise settles. */
  async until<T>(promise: Promise<T>, limitMs = 600_000, settled?: () => Promise<void>): Promise<T> {
    let done = false;
    const watched = promise.finally(() => {
      done = true;
    });
    watched.catch(() => {});
    if (!(await this.clock.runUntilAsync(() => done, limitMs, settled)))
      throw new Error(`nothing happened for ${limitMs} ms`);
    return watched;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
