import type { Bond } from "#bonds/bond.js";
import type { KeyPair } from "#crypto/crypto.js";
import { Emitter } from "#kernel/emitter.js";
import { HandfastError } from "#kernel/errors.js";
import type { Address } from "#kernel/ports.js";
import { Pump } from "#kernel/pump.js";
import type { HostChange } from "#pairing/responderEvents.js";
import type { Connection } from "#transport/connection.js";
import { Endpoint } from "#transport/endpoint.js";
import type { MemoryStats } from "#transport/endpointMemory.js";
import type { EndpointDrops, EndpointEvent } from "#transport/endpointTypes.js";
import { Session } from "#transport/session.js";
import { SessionClosedError } from "#transport/sessionErrors.js";
import { bondsWith, deviceIdOf, forgetDevice } from "./bondBook.js";
import { BondCopiedError, storageError } from "./bondErrors.js";
import type { DevicePorts } from "./devicePorts.js";
import type { DeviceStats, Drops, Warnings } from "./deviceStats.js";
import { knownPeer } from "./knownPeer.js";
import { givenUp, isWanted, type PendingDial, PendingDials, type Unless, unneeded } from "./pendingDials.js";
import { bondGone, proveBond } from "./prove.js";
import { secretsOf } from "./ratchet.js";
import { SharedPort } from "./sharedPort.js";

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
  /** This machine has slept, or is on another network. */
  hostChanged: readonly [HostChange];
  error: readonly [HandfastError];
}

type Dialling = PendingDial<PeerSession>;

export interface DialOptions {
  readonly timeoutMs?: number | undefined;
  /** Asked when the peer has proved itself and before it hears that we have: true, and it never does. */
  readonly unless?: Unless | undefined;
}

type Connected = Extract<EndpointEvent, { type: "connected" }>;
type Copied = Extract<EndpointEvent, { type: "copied" }>;

/** The channel of one device: its endpoint, its live sessions, and the bonds behind them. PROTOCOL.md §2 to §4. */
export class DeviceChannel extends Emitter<ChannelEvents> {
  readonly port: SharedPort;
  readonly keyPair: KeyPair;
  readonly #ports: DevicePorts;
  readonly #endpoint: Endpoint;
  readonly #pump: Pump;
  readonly #sessions = new Map<Connection, Session>();
  readonly #dialling: PendingDials<PeerSession>;
  readonly #stopWatching: (() => void) | undefined;
  readonly warnings: { -readonly [Name in keyof Warnings]: number } = { identityChanged: 0, bondCopied: 0 };

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
      memoryLimit: ports.memoryLimit,
      padTo: ports.padTo,
      lookup: (staticPublic) => knownPeer(store, crypto, staticPublic, clock.wall()),
      ...(ports.maxDatagram && { maxDatagram: ports.maxDatagram }),
      ...(ports.rekeyLimits && { rekeyLimits: ports.rekeyLimits }),
      ...(ports.log && { log: ports.log }),
      ...(ports.keyLog && { keyLog: ports.keyLog }),
    });
    this.#dialling = new PendingDials((handle) => this.#endpoint.cancel(handle));
    this.#pump = new Pump(this.#endpoint, socket, clock, () => this.#progress());
    this.port.attach("transport", this.#pump);
    this.#stopWatching = this.#watchHost();
  }

  get drops(): Drops {
    return this.#dropsWith(this.#endpoint.drops);
  }

  /** Of this moment. */
  stats(): DeviceStats {
    const { socket, loopLag } = this.#ports;
    const seen = { sendQueueBytes: socket.queuedBytes ?? 0, eventLoopLagP99Ms: loopLag?.p99Ms() };
    const { drops, ...endpoint } = this.#endpoint.stats();
    return { ...endpoint, drops: this.#dropsWith(drops), warnings: { ...this.warnings }, ...seen };
  }

  #dropsWith(channel: EndpointDrops): Drops {
    return { port: { ...this.port.drops }, channel: { ...channel } };
  }

  get memory(): MemoryStats {
    return this.#endpoint.memory;
  }

  /** Live sessions by device. */
  get sessions(): readonly Session[] {
    return [...this.#sessions.values()];
  }

  /**
   * Connects to the holder of `bond` at any of these addresses, with the secrets that are stored now. The returned function gives up.
   * Dials to one device that run at once end with the same session.
   */
  dial(
    bond: Bond,
    to: readonly Address[],
    { timeoutMs, unless }: DialOptions = {},
  ): { session: Promise<PeerSession>; cancel: () => void } {
    const { store, crypto, clock } = this.#ports;
    const device = this.#deviceOf(bond);
    const { psks, hints, lineages } = secretsOf(crypto, bondsWith(store, bond.peerStatic));
    const [psk, ...older] = psks;
    if (!psk) return { session: Promise.reject(bondGone()), cancel: () => {} };
    const secrets = { peerStatic: bond.peerStatic, psk, older, hints, lineages, hold: true };
    const options = { to, id: device, ...secrets, ...(timeoutMs !== undefined && { timeoutMs }) };
    const handle = this.#endpoint.connect(options, clock.now());
    const pending = this.#dialling.add(handle, { device, peerName: bond.name, unless });
    this.#pump.turn();
    return pending;
  }

  /** Ends every session of the device at once and forgets it. False when there is no such bond. */
  async forget(bond: Bond): Promise<boolean> {
    this.#revoke(bond);
    const removed = await forgetDevice(this.#ports.store, bond, this.#ports.clock.wall());
    // Again: it may have connected while that was written.
    this.#revoke(bond);
    return removed;
  }

  async close(): Promise<void> {
    this.#stopWatching?.();
    this.#ports.loopLag?.stop();
    this.#dialling.rejectAll(new HandfastError("CLOSED", "This device was shut down."));
    for (const session of this.#sessions.values()) void session.close();
    // The goodbye leaves in the next turn; whether it arrives is not worth waiting for.
    await Promise.resolve();
    this.#pump.turn();
    // What has not been delivered by now is not waited for, but the peer is told.
    for (const session of this.#sessions.values()) session.abort();
    this.#pump.turn();
    this.#pump.stop();
    this.#endpoint.close();
    await this.#ports.socket.close();
  }

  #watchHost(): (() => void) | undefined {
    const endpoint = this.#endpoint;
    return this.#ports.watchHost?.(
      {
        networkChanged: (now) => {
          endpoint.networkChanged(now);
          this.emit("hostChanged", "networkChanged");
        },
        resume: (now, hiddenMs) => {
          endpoint.resume(now, hiddenMs);
          this.emit("hostChanged", "slept");
        },
      },
      () => this.#pump.turn(),
    );
  }

  #revoke(bond: Bond): void {
    this.#endpoint.revoke(this.#deviceOf(bond), this.#ports.clock.now());
    this.#pump.turn();
  }

  #deviceOf(bond: Bond): string {
    return deviceIdOf(this.#ports.crypto, bond.peerStatic);
  }

  #progress(): void {
    for (let event = this.#endpoint.nextEvent(); event; event = this.#endpoint.nextEvent()) this.#onEvent(event);
    // Only those that something happened to: ten thousand silent ones cost a turn nothing.
    for (let changed = this.#endpoint.nextChanged(); changed; changed = this.#endpoint.nextChanged()) {
      const session = this.#sessions.get(changed);
      session?.progress();
      if (session?.closeInfo) this.#sessions.delete(changed);
    }
  }

  #onEvent(event: EndpointEvent): void {
    const dialling = event.dial === undefined ? undefined : this.#dialling.take(event.dial);
    if (event.type === "failed") dialling?.reject(event.error);
    else if (event.dial !== undefined && !dialling) this.#giveUp(event);
    else if (event.type === "copied") this.#onCopied(event, dialling);
    else void this.#admit(event, dialling);
  }

  /** Its dial was cancelled at the last moment. */
  #giveUp(event: Connected | Copied): void {
    if (event.type === "connected") event.connection.discardHeld();
  }

  #onCopied({ peerId, peerStatic }: Copied, dialling: Dialling | undefined): void {
    this.warnings.bondCopied++;
    const name = dialling?.peerName ?? bondsWith(this.#ports.store, peerStatic)[0]?.name ?? peerId;
    const error = new BondCopiedError(peerId, name);
    if (dialling) dialling.reject(error);
    else this.emit("error", error);
  }

  /** Keeps the bond's proof on disk first; only then does anybody get the session. PROTOCOL.md §5. */
  async #admit(event: Connected, dialling: Dialling | undefined): Promise<void> {
    const { clock, crypto } = this.#ports;
    const { connection, exporter, peerId, peerStatic, psk } = event;
    const session = new Session({ connection, clock, crypto, exporter, peerId, turn: () => this.#pump.soon() });
    this.#sessions.set(connection, session);
    const dials = dialling ? [dialling, ...this.#dialling.takeAll(peerId)] : [];
    try {
      if (dialling && (await unneeded(dials))) throw givenUp();
      const handshake = { session, peerStatic, psk, exporter, dialled: dialling !== undefined };
      const proved = await proveBond(this.#ports, handshake, () => {
        if (dialling && !dials.some(isWanted)) throw givenUp();
        connection.release();
        this.#pump.turn();
      });
      const found = { session, device: peerId, ...proved };
      if (!dialling) this.emit("session", found);
      else if (!dials.some(isWanted)) void session.close();
      for (const dial of dials) dial.resolve(found);
    } catch (error) {
      connection.discardHeld();
      void session.close();
      const shown = storageError(error);
      for (const dial of dials) dial.reject(shown);
      // The person has just forgotten it, or the connection simply broke: no news.
      const news = shown.code !== "BOND_GONE" && !(shown instanceof SessionClosedError);
      if (!dialling && news) this.emit("error", shown);
    }
  }
}
