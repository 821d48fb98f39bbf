import type { Address } from "#kernel/ports.js";
import type { SeededRandom } from "./seededRandom.js";
import type { VirtualClock } from "./virtualClock.js";

// What a radio does to datagrams before, or instead of, a link. The figures come from whoever builds one; nobody here has measured a Wi-Fi.

export interface Surroundings {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
}

/** Takes a datagram; calls `deliver` when it is through: never, once, or twice. */
export interface Air {
  send(bytes: Uint8Array, from: Address, to: Address, deliver: () => void): void;
}

const directionOf = (from: Address, to: Address): string => `${from.host}>${to.host}`;

interface Direction {
  readonly queue: { readonly bytes: number; readonly deliver: () => void }[];
  waiting: number;
  busy: boolean;
}

/** Of a channel that many share. */
export interface AirRules {
  /** Of one aggregate, at most. */
  readonly frames: number;
  /** Bytes a millisecond on the air. */
  readonly rate: number;
  /** Milliseconds after an aggregate in which the channel belongs to others. */
  readonly silence: readonly [number, number];
  /** Bytes that may wait. */
  readonly queue: number;
  /** A frame that must be sent again comes so many places later, with this probability. */
  readonly again: { readonly chance: number; readonly depth: number };
}

/** 802.11's A-MPDU: frames leave together, and only when the channel is ours. */
export class Aggregates implements Air {
  readonly #around: Surroundings;
  readonly #rules: AirRules;
  readonly #directions = new Map<string, Direction>();

  constructor(around: Surroundings, rules: AirRules) {
    this.#around = around;
    this.#rules = rules;
  }

  send(bytes: Uint8Array, from: Address, to: Address, deliver: () => void): void {
    const key = directionOf(from, to);
    const direction = this.#directions.get(key) ?? { queue: [], waiting: 0, busy: false };
    this.#directions.set(key, direction);
    if (direction.waiting + bytes.length > this.#rules.queue) return;
    direction.waiting += bytes.length;
    const { random } = this.#around;
    const { chance, depth } = this.#rules.again;
    direction.queue.push({ bytes: bytes.length, deliver });
    const last = direction.queue.length - 1;
    const other = Math.max(0, last - 1 - random.integer(depth));
    // One that fails changes places with a later one.
    if (random.chance(chance)) swap(direction.queue, last, other);
    // What is written in one go leaves in one go.
    if (!direction.busy) this.#later(direction, 0);
  }

  #later(direction: Direction, ms: number): void {
    direction.busy = true;
    this.#around.clock.schedule(ms, () => this.#transmit(direction));
  }

  #transmit(direction: Direction): void {
    const { frames, rate, silence } = this.#rules;
    const aggregate = direction.queue.splice(0, frames);
    if (aggregate.length === 0) {
      direction.busy = false;
      return;
    }
    const bytes = aggregate.reduce((sum, frame) => sum + frame.bytes, 0);
    direction.waiting -= bytes;
    this.#around.clock.schedule(bytes / rate, () => {
      for (const { deliver } of aggregate) deliver();
    });
    const [least, most] = silence;
    this.#later(direction, bytes / rate + least + (most - least) * this.#around.random.number());
  }
}

function swap<T>(list: T[], a: number, b: number): void {
  const [one, other] = [list[a], list[b]];
  if (one === undefined || other === undefined) return;
  list[a] = other;
  list[b] = one;
}

/** Some datagrams come 1 to `depth` places later; when nothing follows, after `waitMs`. */
export class Displaced implements Air {
  readonly #around: Surroundings;
  readonly #chance: number;
  readonly #depth: number;
  readonly #waitMs: number;
  readonly #held = new Map<string, { left: number; readonly release: () => void }[]>();

  constructor(around: Surroundings, chance: number, depth: number, waitMs: number) {
    this.#around = around;
    this.#chance = chance;
    this.#depth = depth;
    this.#waitMs = waitMs;
  }

  send(_bytes: Uint8Array, from: Address, to: Address, deliver: () => void): void {
    const key = directionOf(from, to);
    const held = this.#held.get(key) ?? [];
    if (this.#around.random.chance(this.#chance)) {
      let done = false;
      const release = (): void => {
        if (done) return;
        done = true;
        deliver();
      };
      held.push({ left: 1 + this.#around.random.integer(this.#depth), release });
      this.#held.set(key, held);
      this.#around.clock.schedule(this.#waitMs, release);
      return;
    }
    deliver();
    for (const one of held) if (--one.left === 0) one.release();
    this.#held.set(
      key,
      held.filter(({ left }) => left > 0),
    );
  }
}

/** Gilbert and Elliott's channel: good and bad times take turns, and in a bad one most is lost. */
export class GoodAndBad implements Air {
  readonly #around: Surroundings;
  readonly #goodMs: number;
  readonly #badMs: number;
  readonly #lossWhenBad: number;
  #bad = false;
  #until = 0;

  /** `goodMs`, `badMs`: how long they last on average. */
  constructor(around: Surroundings, goodMs: number, badMs: number, lossWhenBad: number) {
    this.#around = around;
    this.#goodMs = goodMs;
    this.#badMs = badMs;
    this.#lossWhenBad = lossWhenBad;
    this.#until = around.clock.now() + goodMs * -Math.log(1 - around.random.number());
  }

  send(_bytes: Uint8Array, _from: Address, _to: Address, deliver: () => void): void {
    const { clock, random } = this.#around;
    while (clock.now() >= this.#until) {
      this.#bad = !this.#bad;
      this.#until += (this.#bad ? this.#badMs : this.#goodMs) * -Math.log(1 - random.number());
    }
    if (!(this.#bad && random.chance(this.#lossWhenBad))) deliver();
  }
}

/** A delay that wanders between 0 and `mostMs` and never changes the order. */
export class Wandering implements Air {
  readonly #around: Surroundings;
  readonly #mostMs: number;
  readonly #stepMs: number;
  #delayMs: number;
  #stepAt = 0;
  readonly #last = new Map<string, number>();

  /** It changes every `stepMs`. */
  constructor(around: Surroundings, mostMs: number, stepMs: number) {
    this.#around = around;
    this.#mostMs = mostMs;
    this.#stepMs = stepMs;
    this.#delayMs = mostMs / 2;
  }

  send(_bytes: Uint8Array, from: Address, to: Address, deliver: () => void): void {
    const { clock, random } = this.#around;
    const now = clock.now();
    if (now >= this.#stepAt) {
      const step = (random.number() - 0.5) * this.#mostMs;
      this.#delayMs = Math.min(this.#mostMs, Math.max(0, this.#delayMs + step));
      this.#stepAt = now + this.#stepMs;
    }
    const key = directionOf(from, to);
    const at = Math.max(now + this.#delayMs, this.#last.get(key) ?? 0);
    this.#last.set(key, at);
    clock.schedule(at - now, deliver);
  }
}

/** Holds what `held` picks until the next beacon. */
export class Beacons implements Air {
  readonly #around: Surroundings;
  readonly #everyMs: number;
  readonly #held: (to: Address) => boolean;

  constructor(around: Surroundings, everyMs: number, held: (to: Address) => boolean) {
    this.#around = around;
    this.#everyMs = everyMs;
    this.#held = held;
  }

  send(_bytes: Uint8Array, _from: Address, to: Address, deliver: () => void): void {
    const { clock } = this.#around;
    if (this.#held(to)) clock.schedule(this.#everyMs - (clock.now() % this.#everyMs), deliver);
    else deliver();
  }
}

/** One after the other. */
export class Chain implements Air {
  readonly #links: readonly Air[];

  constructor(...links: readonly Air[]) {
    this.#links = links;
  }

  send(bytes: Uint8Array, from: Address, to: Address, deliver: () => void): void {
    this.#pass(0, bytes, from, to, deliver);
  }

  #pass(at: number, bytes: Uint8Array, from: Address, to: Address, deliver: () => void): void {
    const link = this.#links[at];
    if (link) link.send(bytes, from, to, () => this.#pass(at + 1, bytes, from, to, deliver));
    else deliver();
  }
}
