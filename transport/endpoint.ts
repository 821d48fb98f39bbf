import { ReadyKeyPair } from "#crypto/readyKeyPair.js";
import type { Address, Instant, Machine, OutgoingDatagram } from "#kernel/ports.js";
import { type Accepted, Acceptor } from "./acceptor.js";
import type { Connection } from "./connection.js";
import { cidKey } from "./connectionId.js";
import { ConnectionTable, type Entry } from "./connectionTable.js";
import { DatagramPool } from "./datagramPool.js";
import { Dial, drawCid } from "./dial.js";
import { type AnsweredDial, Dials } from "./dials.js";
import { EndpointMemory, type MemoryStats } from "./endpointMemory.js";
import { type EndpointCounts, type EndpointStats, endpointDrops, endpointStats } from "./endpointStats.js";
import type { ConnectOptions, EndpointDrops, EndpointEvent, EndpointOptions } from "./endpointTypes.js";
import { TRANSPORT_ERROR, TransportError } from "./errors.js";
import { handshakeType } from "./handshakePackets.js";
import { answeredHandshake, dialledHandshake } from "./keyed.js";
import { Lifecycle } from "./lifecycle.js";
import { openConnection, type Surroundings } from "./openConnection.js";
import { checkPadTo } from "./padding.js";
import { DEFAULT_PARAMETERS, type TransportParameters } from "./params.js";
import { endsWithToken, StatelessResets } from "./statelessReset.js";

/** The top two bits of a datagram: PROTOCOL.md §1. */
const DATA = 1;
const HANDSHAKE = 3;
const INIT = 0;
const ASLEEP_MS = 5_000;
const RESUME_SPACING_MS = 10;

/** All handshakes and connections of one UDP port: PROTOCOL.md §2. */
export class Endpoint implements Machine {
  readonly answersWait = true;
  readonly #options: EndpointOptions;
  readonly #parameters: TransportParameters;
  readonly #acceptor: Acceptor | undefined;
  readonly #table = new ConnectionTable();
  /** Answered, but not opened yet: the answer leaves first, and nobody needs the connection before the peer has read it. */
  #answered: { readonly accepted: Accepted; readonly path: Address; readonly at: Instant } | undefined;
  readonly #dials = new Dials();
  readonly #replies: OutgoingDatagram[] = [];
  readonly #events: EndpointEvent[] = [];
  readonly #lifecycle: Lifecycle;
  readonly #resets: StatelessResets | undefined;
  readonly #drops = { unknownConnection: 0, unexpected: 0 };
  readonly #memory: EndpointMemory;
  /** Begins the next dial, or the next answer. */
  readonly #ephemeral: ReadyKeyPair;
  readonly #surroundings: Surroundings;

  /** Throws RangeError for a `memoryLimit` or a `padTo` that is none. */
  constructor(options: EndpointOptions) {
    checkPadTo(options.padTo);
    this.#options = options;
    this.#parameters = options.parameters ?? DEFAULT_PARAMETERS;
    const newCid = (): Uint8Array => this.#newCid();
    this.#ephemeral = new ReadyKeyPair(() => options.crypto.x25519KeyPair(options.random(32)));
    this.#ephemeral.next();
    this.#memory = new EndpointMemory(options.memoryLimit);
    this.#lifecycle = new Lifecycle(this.#table, options.identity.public, this.#events);
    const pool = new DatagramPool();
    this.#surroundings = { options, pool, memory: this.#memory, entries: this.#table, newCid };
    if (options.accept) {
      this.#resets = new StatelessResets(options.crypto, options.resetKey, options.random);
      this.#acceptor = new Acceptor({
        ...options,
        own: options.identity,
        parameters: () => this.#memory.promise(this.#parameters),
        newEphemeral: () => this.#ephemeral.take(),
        newCid,
        halfOpen: () => this.#entries.halfOpen,
      });
    }
  }

  /** Dropped datagrams by reason, since the start. */
  get drops(): EndpointDrops {
    return endpointDrops(this.#counts);
  }

  stats(): EndpointStats {
    return endpointStats(this.#counts);
  }

  get memory(): MemoryStats {
    return this.#memory.stats;
  }

  /** Connections whose client has not proved itself yet. */
  get halfOpen(): number {
    return this.#entries.halfOpen;
  }

  /** All connections, half-open ones as well. */
  get connections(): number {
    return this.#entries.size;
  }

  /** Starts to dial; the handle comes back in "connected" or "failed". */
  connect(options: ConnectOptions, now: Instant): number {
    const { crypto, random, identity } = this.#options;
    const scid = this.#newCid();
    const parameters = this.#memory.promise(this.#parameters);
    const ephemeral = this.#ephemeral.take();
    const { peerStatic, psk, older, lineages, hints, to, timeoutMs } = options;
    // Here as below every property by name: V8 makes a spread object property by property, a new shape each time.
    const dial = new Dial({
      crypto,
      random,
      own: identity,
      ephemeral,
      peerStatic,
      psk,
      older,
      lineages,
      hints,
      to,
      scid,
      parameters,
      now,
      timeoutMs,
    });
    const log = this.#options.log?.({ role: "initiator", cid: scid, clientCid: scid, now });
    return this.#dials.add(dial, options, log);
  }

  /** Stops dialling; no event follows. */
  cancel(handle: number): void {
    this.#dials.cancel(handle);
  }

  /** The adapter saw another network: connections that we dialled ask whether their peer can still be reached. */
  networkChanged(now: Instant): void {
    for (const { role, connection } of this.#entries.values()) if (role === "initiator") connection.networkChanged(now);
  }

  /** The device slept; `hiddenMs`: how much of that `now` does not show. Peers are asked one after the other. */
  resume(now: Instant, hiddenMs: number): void {
    let askAt = now;
    for (const { connection, live } of this.#entries.values()) {
      if (!live) continue;
      connection.resume(now, hiddenMs, askAt);
      askAt += RESUME_SPACING_MS;
    }
  }

  /** Closes every connection of this device at once: its bond is gone. */
  revoke(peerId: string, now: Instant): void {
    for (const entry of this.#entries.ofPeer(peerId))
      this.#lifecycle.end(entry, TRANSPORT_ERROR.BOND_REVOKED, "this device was forgotten", now);
  }

  /** The end of every connection and dial, without another word: keys are erased, traces closed. */
  close(): void {
    this.#dials.close();
    this.#ephemeral.forget();
    for (const entry of [...this.#entries.values()]) this.#lifecycle.forget(entry);
  }

  receive(datagram: Uint8Array, from: Address, now: Instant): void {
    const form = (datagram[0] ?? 0) >> 6;
    if (form === DATA) this.#receiveData(datagram, from, now);
    else if (form !== HANDSHAKE) this.#drops.unexpected++;
    else if (handshakeType(datagram) === INIT) this.#receiveInit(datagram, from, now);
    else this.#receiveAnswer(datagram, from, now);
  }

  tick(now: Instant): void {
    // A timer has come, so nobody waits at this moment.
    this.#ephemeral.next();
    // Nobody is so busy: this process, or the whole machine, was stopped.
    if (now - (this.deadline ?? now) > ASLEEP_MS) this.resume(now, 0);
    for (const { handle, error } of this.#dials.tick(now)) this.#events.push({ type: "failed", dial: handle, error });
    for (let due = this.#entries.takeDue(now); due; due = this.#entries.takeDue(now)) {
      if (due.expired) this.#lifecycle.forget(due.entry);
      else due.entry.connection.tick(now);
    }
  }

  get deadline(): Instant | undefined {
    const earliest = Math.min(this.#entries.deadline ?? Number.POSITIVE_INFINITY, this.#dials.deadline);
    return Number.isFinite(earliest) ? earliest : undefined;
  }

  nextDatagram(now: Instant): OutgoingDatagram | undefined {
    if (this.#replies.length > 0) return this.#replies.shift();
    if (this.#dials.size > 0) {
      const datagram = this.#dials.nextDatagram(now);
      if (datagram) return datagram;
    }
    for (let entry = this.#entries.active(); entry; entry = this.#entries.active()) {
      const datagram = entry.connection.nextDatagram(now);
      if (datagram) return datagram;
      if (entry.connection.closed) this.#lifecycle.forget(entry);
      else this.#entries.rest(entry);
    }
    return undefined;
  }

  nextEvent(): EndpointEvent | undefined {
    return this.#events.shift();
  }

  /** After the events: the next connection whose own events are worth asking for. */
  nextChanged(): Connection | undefined {
    return this.#table.takeChanged();
  }

  #receiveInit(datagram: Uint8Array, from: Address, now: Instant): void {
    if (!this.#acceptor) {
      this.#drops.unexpected++;
      return;
    }
    const { reply, accepted } = this.#acceptor.receive(datagram, from, now);
    if (reply) this.#replies.push({ bytes: reply, to: from });
    if (accepted) this.#answered = { accepted, path: from, at: now };
  }

  #receiveAnswer(datagram: Uint8Array, from: Address, now: Instant): void {
    const answer = this.#dials.receive(datagram, from, now);
    if (!answer) this.#drops.unexpected++;
    else if (answer === "cookie") return;
    else if ("error" in answer) this.#events.push({ type: "failed", dial: answer.handle, error: answer.error });
    else this.#onDialled(answer, now);
  }

  #receiveData(datagram: Uint8Array, from: Address, now: Instant): void {
    const entry = this.#entries.get(cidKey(datagram, 1));
    if (!entry) {
      this.#onUnknown(datagram, from, now);
      return;
    }
    const authentic = entry.connection.receive(datagram, from, now);
    if (!authentic && entry.resetToken && endsWithToken(datagram, entry.resetToken)) this.#onReset(entry);
    if (!entry.live || !entry.heard) this.#lifecycle.heard(entry, authentic, now);
    this.#entries.touch(entry);
  }

  #onUnknown(datagram: Uint8Array, from: Address, now: Instant): void {
    const reset = this.#entries.byToken(datagram);
    if (reset) {
      this.#onReset(reset);
      return;
    }
    this.#drops.unknownConnection++;
    const answer = this.#resets?.answer(datagram, from, now);
    if (answer) this.#replies.push(answer);
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
    this.#lifecycle.makeRoom(accepted.peerId);
    openConnection(this.#surroundings, answeredHandshake(accepted, path), now);
  }

  #onDialled(answer: AnsweredDial, now: Instant): void {
    this.#lifecycle.dialled(openConnection(this.#surroundings, dialledHandshake(answer), now), answer.handle);
  }

  /** All connections: who asks for one finds also the one that was only answered so far. */
  get #entries(): ConnectionTable {
    const answered = this.#answered;
    if (answered) {
      this.#answered = undefined;
      this.#admit(answered.accepted, answered.path, answered.at);
    }
    return this.#table;
  }

  get #counts(): EndpointCounts {
    return {
      acceptor: this.#acceptor,
      entries: this.#entries,
      dialling: this.#dials.size,
      gone: this.#lifecycle.gone,
      drops: this.#drops,
      memory: this.memory,
    };
  }

  #newCid(): Uint8Array {
    for (;;) {
      const cid = drawCid(this.#options.random);
      const key = cidKey(cid);
      if (!this.#entries.has(key) && !this.#dials.has(key)) return cid;
    }
  }
}
