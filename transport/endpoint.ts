import type { Crypto, KeyPair } from "#crypto/crypto.js";
import type { HandfastError } from "#kernel/errors.js";
import type { Address, Instant, Machine, OutgoingDatagram, RandomSource } from "#kernel/ports.js";
import { type Accepted, Acceptor, type InitDrops, type Lookup } from "./acceptor.js";
import { Connection } from "./connection.js";
import { buildReset, cidKey, endsWithToken, resetToken } from "./connectionId.js";
import { Dial, type DialResult, drawCid } from "./dial.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import { answeredScid, handshakeType } from "./handshakePackets.js";
import { trafficKeys } from "./keys.js";
import { type PacketDrops, PacketProtection } from "./packet.js";
import { DEFAULT_PARAMETERS, type TransportParameters } from "./params.js";
import { Rekey } from "./rekey.js";
import type { RekeyLimits } from "./rekeyLimits.js";
import { sourceKey, TokenBuckets } from "./tokenBuckets.js";

/** Longer than a Response is repeated from the cache: who gets the last repetition must still find its connection. */
const HALF_OPEN_MS = 15_000;
const HALF_OPEN_PER_BOND = 2;
const HALF_OPEN_ALL = 1024;
const INIT = 0;

export interface EndpointOptions {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly identity: KeyPair;
  /** Finds a bond by the peer's static key. */
  readonly lookup: Lookup;
  /** False: nobody can connect to us; we only dial. */
  readonly accept: boolean;
  /** 32 bytes that outlive the process. */
  readonly resetKey: Uint8Array;
  readonly now: Instant;
  readonly parameters?: TransportParameters;
  /** UDP payload bytes of a full packet to this address. */
  readonly maxDatagram?: (to: Address) => number;
  readonly keepAlive?: boolean;
  readonly rekeyLimits?: RekeyLimits;
}

export interface ConnectOptions {
  readonly to: readonly Address[];
  readonly peerStatic: Uint8Array;
  /** The bond's secret, 32 bytes. */
  readonly psk: Uint8Array;
  /** More secrets of the bond: see DialOptions. */
  readonly older?: readonly Uint8Array[];
  readonly lineages?: readonly Uint8Array[];
  readonly hints?: readonly Uint8Array[];
  /** The connection sends nothing before its `release`: what it rests on must be on disk first. */
  readonly hold?: boolean;
  readonly id: string;
  readonly timeoutMs?: number;
}

export type EndpointEvent =
  | {
      readonly type: "connected";
      readonly connection: Connection;
      readonly peerId: string;
      readonly peerStatic: Uint8Array;
      readonly exporter: Uint8Array;
      /** The bond secret that both ends have proved. */
      readonly psk: Uint8Array;
      /** The dial that led here; undefined when the peer dialled. */
      readonly dial: number | undefined;
    }
  /** Both ends have proved the bond, but one of them holds secrets that are not the newest. No session. */
  | {
      readonly type: "copied";
      readonly peerId: string;
      readonly peerStatic: Uint8Array;
      readonly dial: number | undefined;
    }
  | { readonly type: "failed"; readonly dial: number; readonly error: HandfastError };

export interface EndpointDrops extends InitDrops, PacketDrops {
  unknownConnection: number;
  unexpected: number;
}

interface Entry {
  readonly connection: Connection;
  readonly protection: PacketProtection;
  readonly key: number;
  readonly peerId: string;
  readonly peerStatic: Uint8Array;
  readonly exporter: Uint8Array;
  readonly psk: Uint8Array;
  readonly copied: boolean;
  readonly resetToken: Uint8Array | undefined;
  readonly since: Instant;
  /** The peer has proved itself and the application knows. */
  live: boolean;
}

/** All handshakes and connections of one UDP port: PROTOCOL.md §2. */
export class Endpoint implements Machine {
  readonly #options: EndpointOptions;
  readonly #parameters: TransportParameters;
  readonly #acceptor: Acceptor | undefined;
  readonly #entries = new Map<number, Entry>();
  readonly #dials = new Map<
    number,
    { readonly handle: number; readonly dial: Dial; readonly options: ConnectOptions }
  >();
  readonly #replies: OutgoingDatagram[] = [];
  readonly #events: EndpointEvent[] = [];
  readonly #resets = new TokenBuckets(10, 10);
  readonly #gone: PacketDrops = { short: 0, epoch: 0, duplicate: 0, forged: 0 };
  readonly #drops = { unknownConnection: 0, unexpected: 0 };
  #nextHandle = 1;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#parameters = options.parameters ?? DEFAULT_PARAMETERS;
    if (options.accept) {
      this.#acceptor = new Acceptor({
        ...options,
        own: options.identity,
        parameters: this.#parameters,
        newCid: () => this.#newCid(),
        halfOpen: () => this.#halfOpen().length,
      });
    }
  }

  /** Dropped datagrams by reason, since the start. */
  get drops(): EndpointDrops {
    const none = { mac1: 0, rate: 0, stranger: 0, malformed: 0, cookie: 0, duplicate: 0 };
    const total = { ...none, ...this.#acceptor?.drops, ...this.#drops, short: 0, epoch: 0, forged: 0 };
    for (const drops of [this.#gone, ...[...this.#entries.values()].map((entry) => entry.protection.drops)]) {
      total.short += drops.short;
      total.epoch += drops.epoch;
      total.duplicate += drops.duplicate;
      total.forged += drops.forged;
    }
    return total;
  }

  /** Starts to dial; the handle comes back in "connected" or "failed". */
  connect(options: ConnectOptions, now: Instant): number {
    const { crypto, random, identity } = this.#options;
    const handle = this.#nextHandle++;
    const scid = this.#newCid();
    const dial = new Dial({ ...options, crypto, random, own: identity, scid, parameters: this.#parameters, now });
    this.#dials.set(cidKey(scid), { handle, dial, options });
    return handle;
  }

  /** Stops dialling; no event follows. */
  cancel(handle: number): void {
    for (const [key, entry] of this.#dials) if (entry.handle === handle) this.#dials.delete(key);
  }

  /** Closes every connection of this device at once: its bond is gone. */
  revoke(peerId: string, now: Instant): void {
    for (const entry of this.#entries.values())
      if (entry.peerId === peerId) this.#end(entry, TRANSPORT_ERROR.BOND_REVOKED, "this device was forgotten", now);
  }

  receive(datagram: Uint8Array, from: Address, now: Instant): void {
    if ((datagram[0] ?? 0) >> 6 === 1) this.#receiveData(datagram, from, now);
    else if (handshakeType(datagram) === INIT) this.#receiveInit(datagram, from, now);
    else this.#receiveAnswer(datagram, from, now);
  }

  tick(now: Instant): void {
    for (const [key, { handle, dial }] of this.#dials) {
      const result = dial.tick(now);
      if (!result?.error) continue;
      this.#dials.delete(key);
      this.#events.push({ type: "failed", dial: handle, error: result.error });
    }
    for (const entry of this.#entries.values()) {
      if (!entry.live && now >= entry.since + HALF_OPEN_MS) this.#forget(entry);
      else if ((entry.connection.deadline ?? Number.POSITIVE_INFINITY) <= now) entry.connection.tick(now);
      if (entry.connection.closed) this.#forget(entry);
    }
  }

  get deadline(): Instant | undefined {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { dial } of this.#dials.values()) earliest = Math.min(earliest, dial.deadline);
    for (const entry of this.#entries.values()) {
      const at = entry.live ? entry.connection.deadline : entry.since + HALF_OPEN_MS;
      if (at !== undefined) earliest = Math.min(earliest, at);
    }
    return Number.isFinite(earliest) ? earliest : undefined;
  }

  nextDatagram(now: Instant): OutgoingDatagram | undefined {
    const reply = this.#replies.shift();
    if (reply) return reply;
    for (const { dial } of this.#dials.values()) {
      const datagram = dial.nextDatagram(now);
      if (datagram) return datagram;
    }
    for (const { connection } of this.#entries.values()) {
      const datagram = connection.nextDatagram(now);
      if (datagram) return datagram;
    }
    return undefined;
  }

  nextEvent(): EndpointEvent | undefined {
    return this.#events.shift();
  }

  #receiveInit(datagram: Uint8Array, from: Address, now: Instant): void {
    if (!this.#acceptor) {
      this.#drops.unexpected++;
      return;
    }
    const { reply, accepted } = this.#acceptor.receive(datagram, from, now);
    if (reply) this.#replies.push({ bytes: reply, to: from });
    if (accepted) this.#admit(accepted, from, now);
  }

  #receiveAnswer(datagram: Uint8Array, from: Address, now: Instant): void {
    const key = cidKey(answeredScid(datagram));
    const found = this.#dials.get(key);
    const result = found?.dial.receive(datagram, from, now);
    if (!found || !result) {
      if (!found) this.#drops.unexpected++;
      return;
    }
    this.#dials.delete(key);
    if (result.error) this.#events.push({ type: "failed", dial: found.handle, error: result.error });
    else this.#onDialled(found.handle, found.options, found.dial.scid, result, now);
  }

  #receiveData(datagram: Uint8Array, from: Address, now: Instant): void {
    const entry = this.#entries.get(cidKey(datagram, 1));
    if (!entry) {
      this.#onUnknown(datagram, from, now);
      return;
    }
    const authentic = entry.connection.receive(datagram, from, now);
    if (!authentic && entry.resetToken && endsWithToken(datagram, entry.resetToken)) this.#onReset(entry);
    if (!entry.live && entry.connection.confirmed) this.#confirm(entry, now);
    if (entry.connection.closed) this.#forget(entry);
  }

  #onUnknown(datagram: Uint8Array, from: Address, now: Instant): void {
    for (const entry of this.#entries.values()) {
      if (!entry.resetToken || !endsWithToken(datagram, entry.resetToken)) continue;
      this.#onReset(entry);
      return;
    }
    this.#drops.unknownConnection++;
    if (!this.#options.accept || !this.#resets.take(sourceKey(from.host), now)) return;
    const { crypto, resetKey, random } = this.#options;
    const token = resetToken(crypto, resetKey, datagram.subarray(1, 9));
    const reset = buildReset(token, datagram.length, random);
    if (reset) this.#replies.push({ bytes: reset, to: from });
  }

  #onReset(entry: Entry): void {
    entry.connection.abort(
      new TransportError(
        TRANSPORT_ERROR.CONNECTION_REFUSED,
        "The other device has restarted and lost this connection.",
      ),
    );
  }

  #admit(accepted: Accepted, path: Address, now: Instant): void {
    const halfOpen = this.#halfOpen();
    const ofBond = halfOpen.filter((entry) => entry.peerId === accepted.peerId);
    const oldest =
      ofBond.length >= HALF_OPEN_PER_BOND ? ofBond[0] : halfOpen.length >= HALF_OPEN_ALL ? halfOpen[0] : undefined;
    if (oldest) this.#forget(oldest);
    this.#open({ ...accepted, role: "responder", path, rttMs: undefined }, now);
  }

  #onDialled(
    handle: number,
    options: ConnectOptions,
    localCid: Uint8Array,
    result: Extract<DialResult, { error: undefined }>,
    now: Instant,
  ): void {
    const entry = this.#open(
      {
        role: "initiator",
        peerId: options.id,
        peerStatic: options.peerStatic,
        psk: result.psk,
        copied: result.copied,
        noise: result.noise,
        local: this.#parameters,
        peer: result.peer,
        remoteCid: result.remoteCid,
        localCid,
        path: result.path,
        rttMs: result.rttMs,
        held: options.hold === true && !result.copied,
      },
      now,
    );
    // Of a copy the server learns by our first packet; nobody gets this connection, and the server ends it.
    if (result.copied) this.#alarm(entry, handle);
    else this.#goLive(entry, handle);
  }

  #open(
    keyed: Accepted & {
      readonly role: "initiator" | "responder";
      readonly path: Address;
      readonly rttMs: number | undefined;
      readonly held?: boolean;
    },
    now: Instant,
  ): Entry {
    const { crypto, random, identity, keepAlive = false, rekeyLimits, maxDatagram } = this.#options;
    const { role, noise, local, peer, path, peerStatic, psk, copied, peerId, remoteCid, localCid } = keyed;
    const exporter = noise.exporter.slice();
    const protection = new PacketProtection({ keys: trafficKeys(crypto, role, noise), remoteCid, random });
    const rekey = new Rekey({
      ...{ crypto, random, role, own: identity, peerStatic, psk, protection, now },
      handshakeHash: noise.handshakeHash,
      exporter: noise.exporter,
      ...(rekeyLimits && { limits: rekeyLimits }),
    });
    const connection = new Connection({
      ...{ role, protection, rekey, local, peer, path, random, now, keepAlive },
      initialRttMs: keyed.rttMs,
      held: keyed.held === true,
      ...(maxDatagram && { maxDatagram: maxDatagram(path) }),
    });
    const token = role === "initiator" ? peer.resetToken : undefined;
    const key = cidKey(localCid);
    const entry = {
      connection,
      protection,
      key,
      peerId,
      peerStatic,
      exporter,
      psk,
      copied,
      resetToken: token,
      since: now,
      live: false,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** The client's first data packet came: only now may it replace an older connection. */
  #confirm(entry: Entry, now: Instant): void {
    if (entry.copied) {
      this.#alarm(entry, undefined);
      this.#end(entry, TRANSPORT_ERROR.BOND_COPIED, "another holder of this bond is ahead", now);
      return;
    }
    this.#endOlder(entry);
    for (const other of this.#entries.values())
      if (other !== entry && other.live && other.peerId === entry.peerId)
        this.#end(other, TRANSPORT_ERROR.REPLACED, "the device has connected anew", now);
    this.#goLive(entry, undefined);
  }

  /** A first packet that comes later than a newer one's must not count: src/device/PROTOCOL.md §5, rule 4. */
  #endOlder(entry: Entry): void {
    for (const other of this.#entries.values()) {
      if (other === entry) return;
      if (!other.live && other.peerId === entry.peerId) this.#forget(other);
    }
  }

  #alarm(entry: Entry, dial: number | undefined): void {
    entry.live = true;
    this.#events.push({ type: "copied", peerId: entry.peerId, peerStatic: entry.peerStatic, dial });
  }

  #goLive(entry: Entry, dial: number | undefined): void {
    entry.live = true;
    const { connection, peerId, peerStatic, exporter, psk } = entry;
    this.#events.push({ type: "connected", connection, peerId, peerStatic, exporter, psk, dial });
  }

  #end(entry: Entry, code: number, reason: string, now: Instant): void {
    if (entry.live) entry.connection.close({ code, reason, application: false }, now);
    else this.#forget(entry);
  }

  #forget(entry: Entry): void {
    if (!this.#entries.delete(entry.key)) return;
    const { drops } = entry.protection;
    for (const reason of ["short", "epoch", "duplicate", "forged"] as const) this.#gone[reason] += drops[reason];
  }

  #halfOpen(): Entry[] {
    return [...this.#entries.values()].filter((entry) => !entry.live);
  }

  #newCid(): Uint8Array {
    for (;;) {
      const cid = drawCid(this.#options.random);
      const key = cidKey(cid);
      if (!this.#entries.has(key) && !this.#dials.has(key)) return cid;
    }
  }
}
