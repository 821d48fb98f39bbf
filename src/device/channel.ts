import type { Bond } from "#bonds/bond.js";
import type { BondStore } from "#bonds/store.js";
import type { Crypto, KeyPair } from "#crypto/crypto.js";
import { equalConstantTime } from "#kernel/bytes.js";
import { Emitter } from "#kernel/emitter.js";
import { HandfastError } from "#kernel/errors.js";
import type { Address, Clock, DatagramSocket, RandomSource } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import { Endpoint, type EndpointDrops, type EndpointEvent } from "#transport/endpoint.js";
import type { RekeyLimits } from "#transport/rekeyLimits.js";
import { Session } from "#transport/session.js";
import { bondsWith, confirmBond, deviceIdOf } from "./bondBook.js";
import type { Discovery } from "./discoveryPort.js";
import { SharedPort } from "./sharedPort.js";

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
}

/** A session and the bonded device at its other end. */
export interface PeerSession {
  readonly session: Session;
  readonly bond: Bond;
  readonly device: string;
  /** True when the bond was confirmed by this session: the end of a pairing. */
  readonly first: boolean;
}

interface ChannelEvents {
  /** A device has connected to us. */
  session: readonly [PeerSession];
  error: readonly [HandfastError];
}

interface Dialling {
  readonly bond: Bond;
  readonly resolve: (session: PeerSession) => void;
  readonly reject: (error: Error) => void;
}

/** The channel of one device: its endpoint, its live sessions, and the bonds behind them. PROTOCOL.md §2 to §4. */
export class DeviceChannel extends Emitter<ChannelEvents> {
  readonly port: SharedPort;
  readonly keyPair: KeyPair;
  readonly #ports: DevicePorts;
  readonly #endpoint: Endpoint;
  readonly #pump: Pump;
  readonly #sessions = new Set<Session>();
  readonly #dialling = new Map<number, Dialling>();
  #lookups = 0;

  constructor(ports: DevicePorts, accept: boolean) {
    super();
    const { store, crypto, random, clock, socket } = ports;
    const identity = store.identity();
    this.#ports = ports;
    this.keyPair = crypto.x25519KeyPair(identity.staticSecret.reveal());
    this.port = new SharedPort(socket);
    this.#endpoint = new Endpoint({
      ...{ crypto, random, accept, identity: this.keyPair, keepAlive: true, now: clock.now() },
      resetKey: identity.resetKey.reveal(),
      lookup: (staticPublic) => this.#lookup(staticPublic),
      ...(ports.maxDatagram && { maxDatagram: ports.maxDatagram }),
      ...(ports.rekeyLimits && { rekeyLimits: ports.rekeyLimits }),
    });
    this.#pump = new Pump(this.#endpoint, socket, clock, () => this.#progress());
    this.port.attach("transport", this.#pump);
  }

  get drops(): EndpointDrops {
    return this.#endpoint.drops;
  }

  /** Live sessions by device. */
  get sessions(): readonly Session[] {
    return [...this.#sessions];
  }

  /** Connects to the holder of `bond` at any of these addresses. The returned function gives up. */
  dial(bond: Bond, to: readonly Address[], timeoutMs?: number): { session: Promise<PeerSession>; cancel: () => void } {
    const options = { to, peerStatic: bond.peerStatic, psk: bond.secret.reveal(), id: this.#deviceOf(bond) };
    const handle = this.#endpoint.connect(
      { ...options, ...(timeoutMs !== undefined && { timeoutMs }) },
      this.#ports.clock.now(),
    );
    const session = new Promise<PeerSession>((resolve, reject) => {
      this.#dialling.set(handle, { bond, resolve, reject });
    });
    this.#pump.turn();
    const cancel = (): void => {
      this.#endpoint.cancel(handle);
      this.#dialling.get(handle)?.reject(new HandfastError("CANCELLED", "Connecting was given up."));
      this.#dialling.delete(handle);
    };
    return { session, cancel };
  }

  /** Ends every session of the device that held this bond, at once. */
  revoke(bond: Bond): void {
    this.#endpoint.revoke(this.#deviceOf(bond), this.#ports.clock.now());
    this.#pump.turn();
  }

  async close(): Promise<void> {
    for (const dialling of this.#dialling.values())
      dialling.reject(new HandfastError("CLOSED", "This device was shut down."));
    this.#dialling.clear();
    for (const session of this.#sessions) void session.close();
    // The goodbye leaves in the next turn; whether it arrives is not worth waiting for.
    await Promise.resolve();
    this.#pump.turn();
    this.#pump.stop();
    await this.#ports.socket.close();
  }

  #deviceOf(bond: Bond): string {
    return deviceIdOf(this.#ports.crypto, bond.peerStatic);
  }

  /** While a device pairs again it has two bonds, and only it knows which one it could store: they are tried in turn. */
  #lookup(staticPublic: Uint8Array): { psk: Uint8Array; id: string } | "forgotten" | undefined {
    const { store, crypto } = this.#ports;
    const bonds = bondsWith(store, staticPublic);
    const bond = bonds[this.#lookups++ % Math.max(1, bonds.length)];
    if (bond) return { psk: bond.secret.reveal(), id: deviceIdOf(crypto, staticPublic) };
    return store.tombstones().some(({ peerStatic }) => equalConstantTime(peerStatic, staticPublic))
      ? "forgotten"
      : undefined;
  }

  #progress(): void {
    for (let event = this.#endpoint.nextEvent(); event; event = this.#endpoint.nextEvent()) this.#onEvent(event);
    for (const session of this.#sessions) {
      session.progress();
      if (session.closeInfo) this.#sessions.delete(session);
    }
  }

  #onEvent(event: EndpointEvent): void {
    const dialling = event.dial === undefined ? undefined : this.#dialling.get(event.dial);
    if (event.dial !== undefined) this.#dialling.delete(event.dial);
    if (event.type === "failed") dialling?.reject(event.error);
    else void this.#admit(event, dialling);
  }

  /** Keeps the bond's proof on disk first; only then does anybody get the session. */
  async #admit(event: Extract<EndpointEvent, { type: "connected" }>, dialling: Dialling | undefined): Promise<void> {
    const { clock, crypto, store } = this.#ports;
    const { connection, exporter, peerId } = event;
    const session = new Session({ connection, clock, crypto, exporter, peerId, turn: () => this.#pump.soon() });
    this.#sessions.add(session);
    try {
      const bond = dialling?.bond ?? this.#bondOf(event);
      if (!bond) throw new HandfastError("BOND_GONE", "The device was forgotten while it connected.");
      const confirmed = await confirmBond(store, bond, connection.path, clock.wall());
      const found = { session, bond: confirmed, device: peerId, first: bond.state === "provisional" };
      if (dialling) dialling.resolve(found);
      else this.emit("session", found);
    } catch (error) {
      void session.close();
      const shown = error instanceof HandfastError ? error : new HandfastError("STORAGE_FAILED", String(error));
      if (dialling) dialling.reject(shown);
      else this.emit("error", shown);
    }
  }

  #bondOf(event: Extract<EndpointEvent, { type: "connected" }>): Bond | undefined {
    return bondsWith(this.#ports.store, event.peerStatic).find((bond) =>
      equalConstantTime(bond.secret.reveal(), event.psk),
    );
  }
}
