import type { Address, DatagramSocket } from "#kernel/ports.js";
import { SeededRandom } from "./seededRandom.js";
import type { VirtualClock } from "./virtualClock.js";

/** One direction of a link. Probabilities are 0 to 1, times in milliseconds. */
export interface Link {
  readonly delayMs: number;
  /** Up to so much more, drawn for each datagram: reorders when larger than the gaps between them. */
  readonly jitterMs: number;
  readonly loss: number;
  readonly duplicate: number;
  /** Probability that a datagram waits `reorderMs` longer. */
  readonly reorder: number;
  readonly reorderMs: number;
  /** Probability that one bit is flipped. */
  readonly corrupt: number;
  /** Bytes a millisecond; 0: unlimited. */
  readonly rate: number;
  /** Bytes that may wait for the rate; more are dropped. */
  readonly queue: number;
  /** Larger datagrams are dropped. */
  readonly mtu: number;
  /** Everybody who sends to one host shares its rate and its queue. */
  readonly shared: boolean;
}

export const GOOD_LINK: Link = {
  delayMs: 1,
  jitterMs: 0,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  reorderMs: 0,
  corrupt: 0,
  rate: 0,
  queue: 1024 * 1024,
  mtu: 65_507,
  shared: false,
};

/** The link of the acceptance tests: 30 % loss, duplication, reordering. */
export const TERRIBLE_LINK: Link = {
  ...GOOD_LINK,
  delayMs: 2,
  jitterMs: 3,
  loss: 0.3,
  duplicate: 0.05,
  reorder: 0.1,
  reorderMs: 20,
  corrupt: 0.01,
};

/** Sees every datagram before the link does. Returns what travels instead of it; an empty list swallows it. */
export type Tap = (bytes: Uint8Array, from: Address, to: Address) => readonly Uint8Array[];

interface Attached {
  listener: (bytes: Uint8Array, from: Address) => void;
}

/** A network in memory: the production pump runs on its sockets unchanged. The same seed gives the same run. */
export class SimulatedNetwork {
  link: Link;
  tap: Tap | undefined;
  readonly counters: { sent: number; bytes: number; lost: number; delivered: number } = {
    sent: 0,
    bytes: 0,
    lost: 0,
    delivered: 0,
  };
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #sockets = new Map<string, Attached>();
  readonly #busyUntil = new Map<string, number>();

  constructor(clock: VirtualClock, seed: number, link: Link = GOOD_LINK) {
    this.#clock = clock;
    this.#random = new SeededRandom(seed);
    this.link = link;
  }

  /** A socket at `address`; it can be moved to another one by `rebind`, as a NAT does. */
  socket(address: Address): DatagramSocket & { rebind(to: Address): void } {
    const attached: Attached = { listener: () => {} };
    let own = address;
    this.#sockets.set(key(own), attached);
    return {
      port: own.port,
      send: (bytes, to) => this.#send(bytes, own, to),
      onDatagram: (listener) => {
        attached.listener = listener;
      },
      close: async () => {
        this.#sockets.delete(key(own));
      },
      rebind: (to) => {
        this.#sockets.delete(key(own));
        own = to;
        this.#sockets.set(key(own), attached);
      },
    };
  }

  /** Puts a datagram on the wire that nobody sent: for attackers. */
  inject(bytes: Uint8Array, from: Address, to: Address): void {
    this.#travel(bytes.slice(), from, to);
  }

  #send(bytes: Uint8Array, from: Address, to: Address): void {
    this.counters.sent++;
    this.counters.bytes += bytes.length;
    const copy = bytes.slice();
    for (const seen of this.tap ? this.tap(copy, from, to) : [copy]) this.#travel(seen.slice(), from, to);
  }

  #travel(bytes: Uint8Array, from: Address, to: Address): void {
    const { link } = this;
    if (bytes.length > link.mtu || this.#random.chance(link.loss)) {
      this.counters.lost++;
      return;
    }
    if (this.#random.chance(link.corrupt)) {
      const at = this.#random.integer(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#random.integer(8));
    }
    const copies = this.#random.chance(link.duplicate) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const wait = this.#queueDelay(bytes.length, from, to);
      if (wait === undefined) {
        this.counters.lost++;
        continue;
      }
      const extra = this.#random.chance(link.reorder) ? link.reorderMs : 0;
      const delay = wait + link.delayMs + link.jitterMs * this.#random.number() + extra;
      const copy = i === 0 ? bytes : bytes.slice();
      this.#clock.schedule(delay, () => this.#deliver(copy, from, to));
    }
  }

  #queueDelay(length: number, from: Address, to: Address): number | undefined {
    const { rate, queue, shared } = this.link;
    if (rate === 0) return 0;
    const direction = shared ? to.host : `${key(from)}>${key(to)}`;
    const now = this.#clock.now();
    const free = Math.max(now, this.#busyUntil.get(direction) ?? 0);
    if ((free - now) * rate > queue) return undefined;
    this.#busyUntil.set(direction, free + length / rate);
    return free + length / rate - now;
  }

  #deliver(bytes: Uint8Array, from: Address, to: Address): void {
    const target = this.#sockets.get(key(to));
    if (!target) return;
    this.counters.delivered++;
    target.listener(bytes, from);
  }
}

function key(address: Address): string {
  return `${address.host} ${address.port}`;
}
