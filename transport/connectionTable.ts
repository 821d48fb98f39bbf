import type { Instant } from "#kernel/ports.js";
import type { Connection } from "./connection.js";
import { cidKey } from "./connectionId.js";
import { Deadlines } from "./deadlines.js";
import type { PacketProtection } from "./packet.js";
import { endsWithToken } from "./statelessReset.js";

/** Longer than a Response is repeated from the cache: who gets the last repetition must still find its connection. */
const HALF_OPEN_MS = 15_000;
const TOKEN = 16;

/** One connection as its endpoint knows it. */
export interface Entry {
  readonly connection: Connection;
  readonly protection: PacketProtection;
  readonly role: "initiator" | "responder";
  readonly peerId: string;
  readonly peerStatic: Uint8Array;
  readonly exporter: Uint8Array;
  readonly psk: Uint8Array;
  /** The peer's secrets are not the newest: no session. */
  readonly copied: boolean;
  readonly since: Instant;
  /** Keys of the connection IDs at which the peer reaches us. */
  readonly cids: Set<number>;
  /** The peer's word that it has forgotten the connection whose ID we send to. */
  resetToken: Uint8Array | undefined;
  /** The peer has proved itself and the application knows. */
  live: boolean;
  /** It has sent a valid packet in this connection. */
  heard: boolean;
}

/**
 * All connections of an endpoint, found by connection ID, by peer, by reset token and by deadline.
 * Nothing here looks at every connection: ten thousand that are silent cost a packet nothing.
 */
export class ConnectionTable {
  readonly #byCid = new Map<number, Entry>();
  readonly #byPeer = new Map<string, Set<Entry>>();
  readonly #byToken = new Map<number, Entry>();
  /** Oldest first. */
  readonly #halfOpen = new Set<Entry>();
  /** Those that may have a datagram to send. */
  readonly #active = new Set<Entry>();
  /** Those that may have events for the application. */
  readonly #changed = new Set<Connection>();
  readonly #deadlines = new Deadlines<Entry>();

  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  get size(): number {
    let count = 0;
    for (const entries of this.#byPeer.values()) count += entries.size;
    return count;
  }

  /** For counting and for shutting down, never for a packet. */
  *values(): IterableIterator<Entry> {
    for (const entries of this.#byPeer.values()) yield* entries;
  }

  has(cid: number): boolean {
    return this.#byCid.has(cid);
  }

  get(cid: number): Entry | undefined {
    return this.#byCid.get(cid);
  }

  /** In the order in which they began. */
  ofPeer(peerId: string): readonly Entry[] {
    return [...(this.#byPeer.get(peerId) ?? [])];
  }

  /** The connection that a stateless reset ends. */
  byToken(datagram: Uint8Array): Entry | undefined {
    const entry = this.#byToken.get(cidKey(datagram, datagram.length - TOKEN));
    return entry?.resetToken && endsWithToken(datagram, entry.resetToken) ? entry : undefined;
  }

  oldestHalfOpen(peerId?: string): Entry | undefined {
    const candidates = peerId === undefined ? this.#halfOpen : (this.#byPeer.get(peerId) ?? []);
    for (const entry of candidates) if (!entry.live) return entry;
    return undefined;
  }

  halfOpenOf(peerId: string): number {
    let count = 0;
    for (const entry of this.#byPeer.get(peerId) ?? []) if (!entry.live) count++;
    return count;
  }

  add(entry: Entry): void {
    for (const cid of entry.cids) this.#byCid.set(cid, entry);
    const ofPeer = this.#byPeer.get(entry.peerId) ?? new Set();
    ofPeer.add(entry);
    this.#byPeer.set(entry.peerId, ofPeer);
    if (entry.resetToken) this.#byToken.set(cidKey(entry.resetToken), entry);
    if (!entry.live) this.#halfOpen.add(entry);
    this.touch(entry);
  }

  /** False when it was not there any more. */
  delete(entry: Entry): boolean {
    const ofPeer = this.#byPeer.get(entry.peerId);
    if (!ofPeer?.delete(entry)) return false;
    if (ofPeer.size === 0) this.#byPeer.delete(entry.peerId);
    for (const cid of entry.cids) this.#byCid.delete(cid);
    entry.cids.clear();
    if (entry.resetToken) this.#byToken.delete(cidKey(entry.resetToken));
    this.#halfOpen.delete(entry);
    this.#active.delete(entry);
    this.#deadlines.delete(entry);
    return true;
  }

  addCid(entry: Entry, cid: number): void {
    entry.cids.add(cid);
    this.#byCid.set(cid, entry);
  }

  deleteCid(entry: Entry, cid: number): void {
    if (entry.cids.delete(cid)) this.#byCid.delete(cid);
  }

  setToken(entry: Entry, token: Uint8Array | undefined): void {
    if (entry.resetToken) this.#byToken.delete(cidKey(entry.resetToken));
    entry.resetToken = token;
    if (token) this.#byToken.set(cidKey(token), entry);
  }

  setLive(entry: Entry): void {
    entry.live = true;
    this.#halfOpen.delete(entry);
    this.touch(entry);
  }

  /** Something happened to it: it may have something to send, and its deadline may be another. */
  touch(entry: Entry): void {
    // An application may still hold, and write to, a connection that is forgotten.
    if (entry.cids.size === 0) return;
    this.#active.add(entry);
    this.#changed.add(entry.connection);
  }

  /** The next connection that something happened to since it was last taken here, forgotten or not. */
  takeChanged(): Connection | undefined {
    for (const connection of this.#changed) {
      this.#changed.delete(connection);
      return connection;
    }
    return undefined;
  }

  active(): Entry | undefined {
    for (const entry of this.#active) return entry;
    return undefined;
  }

  /** It has nothing to send now; it is looked at again at its deadline. */
  rest(entry: Entry): void {
    this.#active.delete(entry);
    this.#deadlines.set(entry, entry.live ? entry.connection.deadline : entry.since + HALF_OPEN_MS);
  }

  get deadline(): Instant | undefined {
    return this.#deadlines.earliest;
  }

  /** The next connection whose deadline has come; `expired`: it stayed half-open for too long. */
  takeDue(now: Instant): { readonly entry: Entry; readonly expired: boolean } | undefined {
    const entry = this.#deadlines.due(now);
    if (!entry) return undefined;
    this.#deadlines.delete(entry);
    this.touch(entry);
    return { entry, expired: !entry.live && now >= entry.since + HALF_OPEN_MS };
  }
}
