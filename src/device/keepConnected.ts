import type { Bond } from "#bonds/bond.js";
import { equalConstantTime } from "#kernel/bytes.js";
import { HandfastError } from "#kernel/errors.js";
import { Gate } from "#kernel/gate.js";
import type { Address, Clock, RandomSource } from "#kernel/ports.js";
import type { DialOptions, PeerSession } from "./channel.js";

// PROTOCOL.md §3
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 10_000;
const JITTER = 0.2;
/** A session that lived so long was a good one: the next wait is the shortest again. */
const GOOD_SESSION_MS = 10_000;
const MOVE_MS = 5000;
/** What may be over by the next try. That another device stands in the PC's place is only a hint (PROTOCOL.md §3). */
const PASSING: ReadonlySet<string> = new Set(["NOT_REACHABLE", "IDENTITY_CHANGED", "PQ_MISSING"]);

export interface ConnectOptions extends DialOptions {
  readonly signal?: AbortSignal | undefined;
  /** Instead of those that the bond remembers. */
  readonly at?: readonly Address[] | undefined;
}

/** What is needed of a client. */
export interface Connector {
  bonds(): Promise<readonly Bond[]>;
  connect(bond: Bond, options: ConnectOptions): Promise<PeerSession>;
  watch(bond: Bond, onSeen: (addresses: readonly Address[]) => void): { close(): void };
}

export interface KeepConnectedOptions {
  readonly client: Connector;
  readonly bond: Bond;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly signal?: AbortSignal;
  /** A session that is open already: the first one. */
  readonly first?: PeerSession;
  /** Nobody answered; the next try comes after `ms` at the latest. */
  readonly onWaiting?: (waiting: { readonly error: HandfastError; readonly ms: number }) => void;
}

/**
 * A session with one bonded device, again and again, for ever: each is handed out when the one before is over.
 * Ends when the signal aborts. Throws when trying again cannot help: the PC forgot us, or the bond is gone here.
 */
export async function* keepConnected(options: KeepConnectedOptions): AsyncGenerator<PeerSession> {
  const keeper = new Keeper(options);
  try {
    for (let peer = await keeper.next(); peer; peer = await keeper.next()) {
      yield peer;
      await keeper.over(peer);
    }
  } finally {
    keeper.close();
  }
}

class Keeper {
  readonly #options: KeepConnectedOptions;
  readonly #seen = new Gate();
  readonly #watch: { close(): void };
  readonly #onAbort = (): void => {
    this.#doubt?.abort();
    this.#seen.open();
  };
  #addresses: readonly Address[] = [];
  #ready: PeerSession | undefined;
  #current: { readonly peer: PeerSession; readonly since: number } | undefined;
  #moving: string | undefined;
  /** Ends the dial that runs because the session is suspect. */
  #doubt: AbortController | undefined;
  #failures = 0;

  constructor(options: KeepConnectedOptions) {
    this.#options = options;
    this.#ready = options.first;
    this.#watch = options.client.watch(options.bond, (addresses) => this.#onSeen(addresses));
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  async next(): Promise<PeerSession | undefined> {
    while (!this.#aborted) {
      const peer = this.#ready ?? (await this.#connect());
      this.#ready = undefined;
      if (!peer || peer.session.closeInfo) continue;
      this.#current = { peer, since: this.#options.clock.now() };
      peer.session.on("suspect", () => this.#onSuspect(peer)).on("answers", () => this.#doubt?.abort());
      return peer;
    }
    return undefined;
  }

  /** Resolves when the session has ended, whoever ended it. */
  async over(peer: PeerSession): Promise<void> {
    await peer.session.closed;
    const lived = this.#options.clock.now() - (this.#current?.since ?? 0);
    this.#current = undefined;
    this.#failures = lived >= GOOD_SESSION_MS ? 0 : this.#failures + 1;
    if (!this.#ready && !this.#aborted) await this.#wait(this.#backoff());
  }

  close(): void {
    this.#watch.close();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    if (this.#ready) void this.#ready.session.close();
  }

  get #aborted(): boolean {
    return this.#options.signal?.aborted === true;
  }

  async #connect(): Promise<PeerSession | undefined> {
    const { client, signal, onWaiting } = this.#options;
    const bond = await this.#bond();
    const at = [...this.#addresses, ...bond.addresses];
    try {
      return await client.connect(bond, { ...(signal && { signal }), at });
    } catch (error) {
      if (this.#aborted) return undefined;
      if (!(error instanceof HandfastError) || !PASSING.has(error.code)) throw error;
      this.#failures++;
      const ms = this.#backoff();
      onWaiting?.({ error, ms });
      await this.#wait(ms);
      return undefined;
    }
  }

  /** The bond as it is stored now: its addresses change with every session. */
  async #bond(): Promise<Bond> {
    const { client, bond } = this.#options;
    const stored = (await client.bonds()).find((each) => equalConstantTime(each.peerStatic, bond.peerStatic));
    if (!stored) throw new HandfastError("NOT_PAIRED", `${bond.name} was forgotten on this device. Pair them again.`);
    return stored;
  }

  /** 250 ms, doubling to 10 s, ± 20 %. */
  #backoff(): number {
    const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(Math.max(0, this.#failures - 1), 10), MAX_WAIT_MS);
    return wait * (1 + JITTER * (((this.#options.random(1)[0] ?? 0) / 255) * 2 - 1));
  }

  /** Until the time is over, the PC is seen or the signal aborts. */
  async #wait(ms: number): Promise<void> {
    const cancel = this.#options.clock.schedule(ms, () => this.#seen.open());
    await this.#seen.wait();
    cancel();
  }

  #onSeen(addresses: readonly Address[]): void {
    this.#addresses = addresses;
    const current = this.#current?.peer;
    if (!current) {
      this.#seen.open();
      return;
    }
    const { path } = current.session;
    const key = keyOf(addresses);
    // Announced somewhere else than where we talk to it: restarted, or moved.
    if (addresses.some(({ host, port }) => host === path.host && port === path.port) || this.#moving === key) return;
    this.#moving = key;
    void this.#move(current, addresses).catch(() => {});
  }

  /**
   * Nobody answers where the session is: perhaps the PC stands elsewhere among the places we know, or can be reached by IPv6
   * alone. But a gap in the radio is over for both at once, so the old session has the last word. Said again while it lasts.
   */
  #onSuspect(peer: PeerSession): void {
    if (this.#current?.peer !== peer || this.#doubt) return;
    const { session, bond } = peer;
    this.#doubt = new AbortController();
    const options = { signal: this.#doubt.signal, unless: () => session.stillThere() };
    const done = (): void => {
      this.#doubt = undefined;
    };
    void this.#move(peer, [...this.#addresses, ...bond.addresses], options).then(done, done);
  }

  /** The old session goes only when the PC has proved itself at the new address. */
  async #move(
    old: PeerSession,
    at: readonly Address[],
    options: ConnectOptions = { signal: this.#options.signal },
  ): Promise<void> {
    const bond = await this.#bond();
    const peer = await this.#options.client.connect(bond, { ...options, at, timeoutMs: MOVE_MS });
    if (this.#aborted || this.#ready) {
      await peer.session.close();
      return;
    }
    this.#ready = peer;
    await old.session.close();
  }
}

function keyOf(addresses: readonly Address[]): string {
  return addresses
    .map(({ host, port }) => `${host} ${port}`)
    .sort()
    .join();
}
