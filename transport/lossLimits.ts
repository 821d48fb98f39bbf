/** As RFC 9438 §4.6: a search that doubles each round has thrown much of others' over, and what a queue lost may be theirs. */
const BETA = 0.7;
/** A probe rises slowly and overflows a queue by little. */
const OVERFLOW_BETA = 0.85;
/** Left free for others while cruising below a known limit. */
const HEADROOM = 0.85;
const NEAR = 0.9;
/** Packets by which the ceiling rises in a round, or a part of it where that is more: so much a probe may lose that finds the queue full. */
const MAX_GROWTH = 16;
const MAX_GROWTH_SHARE = 1 / 32;

/** What a loss overwrites, in case it was none. */
interface Limits {
  readonly ceiling: number;
  readonly shortCeiling: number;
  readonly shortRate: number;
}

/** What overloads have taught about how much may be in flight, and how fast. Bytes and milliseconds; infinite: nothing yet. */
export class LossLimits {
  /** In flight at most, learned from our own overload before last. */
  #ceiling = Number.POSITIVE_INFINITY;
  /** The same until the next probe only, and the rate that goes with it: others overflowed the queue. */
  #shortCeiling = Number.POSITIVE_INFINITY;
  #shortRate = Number.POSITIVE_INFINITY;
  #before: Limits | undefined;
  /** The ceiling when the probe began. */
  #proved = 0;
  /** Packets by which the ceiling rises in this round of a probe. */
  #growth = 1;

  get known(): boolean {
    return Number.isFinite(this.#ceiling);
  }

  get rate(): number {
    return this.#shortRate;
  }

  /** In flight at most while probing. */
  get whole(): number {
    return Math.min(this.#ceiling, this.#shortCeiling);
  }

  /** In flight at most while others shall find room. */
  get withHeadroom(): number {
    return Math.min(this.#ceiling * HEADROOM, this.#shortCeiling);
  }

  /** Startup overflowed the queue while so much was delivered in a round trip. */
  onStartupOverflow(delivered: number, least: number): void {
    this.#remember();
    this.#ceiling = Math.max(delivered * BETA, least);
  }

  /** A probe overflowed the queue with so much in flight. */
  onProbeOverflow(inFlight: number, least: number): void {
    this.#remember();
    this.#ceiling = Math.max(inFlight * OVERFLOW_BETA, least);
    this.#proved = 0;
  }

  /** Others seem to have overflowed it: less, until the next probe. `delivered` in the last round, at `rate`. */
  onSqueeze(now: {
    readonly rate: number;
    readonly delivered: number;
    readonly own: number;
    readonly window: number;
  }): void {
    this.#remember();
    this.#shortRate = Math.max(now.rate, BETA * now.own);
    this.#shortCeiling = Math.max(now.delivered, BETA * Math.min(this.#shortCeiling, now.window));
  }

  /** A probe begins where cruising was, so that what it gains it gains packet by packet, the same for large and small flows. */
  onProbe(): void {
    this.#proved = this.#ceiling;
    this.#ceiling *= HEADROOM;
    this.#shortCeiling = Number.POSITIVE_INFINITY;
    this.#shortRate = Number.POSITIVE_INFINITY;
    this.#growth = 1;
  }

  /** A probe that overflowed nothing leaves the ceiling no lower than it was: perhaps we had little to send. */
  onProbeOver(): void {
    this.#ceiling = Math.max(this.#ceiling, this.#proved);
  }

  /** While probing and at the ceiling, it rises: slowly at first, faster with each round. True while it is what holds us. */
  raise(inFlight: number, ackedBytes: number, roundStarted: boolean, packet: number): boolean {
    if (!this.known || inFlight < this.#ceiling * NEAR) return false;
    const most = Math.max(MAX_GROWTH, (MAX_GROWTH_SHARE * this.#ceiling) / packet);
    if (roundStarted) this.#growth = Math.min(2 * this.#growth, most);
    this.#ceiling += (ackedBytes * this.#growth * packet) / this.#ceiling;
    return true;
  }

  /** What was lost last has arrived after all. */
  undo(): void {
    if (!this.#before) return;
    this.#ceiling = Math.max(this.#ceiling, this.#before.ceiling);
    this.#shortCeiling = Math.max(this.#shortCeiling, this.#before.shortCeiling);
    this.#shortRate = Math.max(this.#shortRate, this.#before.shortRate);
    this.#before = undefined;
  }

  #remember(): void {
    this.#before = { ceiling: this.#ceiling, shortCeiling: this.#shortCeiling, shortRate: this.#shortRate };
  }
}
