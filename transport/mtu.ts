import type { Instant } from "#kernel/ports.js";
import type { SentPacket } from "./sentPacket.js";

/** What every path carries: the handshake has proved it. UDP payload bytes, as everything here. */
export const BASE_DATAGRAM = 1200;
/** What Ethernet with IPv6 and room for a tunnel takes whole: where nobody knows the interface. */
export const DEFAULT_MAX_DATAGRAM = 1452;
/** Ethernet with a tunnel, IPv6 and IPv4 over Ethernet, NFS-sized and common jumbo frames, loopback. */
const STEPS = [BASE_DATAGRAM, 1372, 1452, 1472, 4052, 8952, 8972, 16_336, 32_720, 61_440] as const;
const MAX_PROBES = 3;
const PROBE_SPACING_RTTS = 5;
/** Closer than this and the search is over. */
const MIN_STEP = 20;
const RAISE_AGAIN_MS = 600_000;
const COOLDOWN_MS = 60_000;
const BLACK_HOLE_BURSTS = 3;

/**
 * How large packets may be on this path: DPLPMTUD, RFC 8899 and RFC 9000 §14.3. Probes are packets of their own;
 * they never exceed the interface's MTU, because there the kernel cuts them up and the answer would be a lie.
 */
export class PathMtu {
  #current = BASE_DATAGRAM;
  readonly #max: number;
  /** The smallest size known to be too large; `#max + 1`: none is. */
  #tooLarge: number;
  #probing: number | undefined;
  #tries = 0;
  #nextProbeAt: Instant = Number.NEGATIVE_INFINITY;
  /** Bursts of losses of large packets only, since a large packet arrived, and whether a small one got through meanwhile. */
  #suspicious = 0;
  #smallArrived = false;

  /** `max`: what the interface, the peer and we ourselves allow. */
  constructor(max: number) {
    this.#max = Math.max(max, BASE_DATAGRAM);
    this.#tooLarge = this.#max + 1;
  }

  /** Full packets have this size. */
  get current(): number {
    return this.#current;
  }

  /** The size to probe now; undefined: nothing to find out, or not yet. */
  probeDue(now: Instant): number | undefined {
    if (this.#probing !== undefined || now < this.#nextProbeAt) return undefined;
    if (this.#searched) {
      // Long ago something was too large. Paths change: everything is open again.
      if (this.#tooLarge > this.#max) return undefined;
      this.#tooLarge = this.#max + 1;
    }
    return this.#next();
  }

  onProbeSent(size: number): void {
    this.#probing = size;
  }

  /** True when full packets may be larger from now on. */
  onProbeAcked(size: number, now: Instant): boolean {
    this.#probing = undefined;
    this.#tries = 0;
    const larger = size > this.#current;
    if (larger) this.#current = size;
    this.#nextProbeAt = this.#searched ? now + RAISE_AGAIN_MS : now;
    return larger;
  }

  onProbeLost(size: number, now: Instant, smoothedRttMs: number): void {
    this.#probing = undefined;
    this.#nextProbeAt = now + PROBE_SPACING_RTTS * smoothedRttMs;
    if (++this.#tries < MAX_PROBES) return;
    this.#tries = 0;
    this.#tooLarge = Math.min(this.#tooLarge, size);
    if (this.#searched) this.#nextProbeAt = now + RAISE_AGAIN_MS;
  }

  onAcked(size: number): void {
    if (size > BASE_DATAGRAM) {
      this.#suspicious = 0;
      this.#smallArrived = false;
    } else if (this.#suspicious > 0) this.#smallArrived = true;
  }

  /** True when large packets do not arrive any more although small ones do: full packets are small from now on. */
  onLost(lost: readonly SentPacket[], now: Instant): boolean {
    if (this.#current === BASE_DATAGRAM || lost.length === 0) return false;
    if (lost.some(({ size, probe }) => size <= BASE_DATAGRAM && !probe)) return false;
    this.#suspicious++;
    if (this.#suspicious <= BLACK_HOLE_BURSTS || !this.#smallArrived) return false;
    this.#tooLarge = this.#current;
    this.#current = BASE_DATAGRAM;
    this.#suspicious = 0;
    this.#smallArrived = false;
    this.#tries = 0;
    this.#nextProbeAt = now + COOLDOWN_MS;
    return true;
  }

  get #searched(): boolean {
    return this.#tooLarge - this.#current <= MIN_STEP;
  }

  /** The largest that is allowed first, then the middle of the known sizes that are left. */
  #next(): number {
    if (this.#tooLarge > this.#max) return this.#max;
    const open = STEPS.filter((step) => step > this.#current && step < this.#tooLarge);
    return open[open.length >> 1] ?? (this.#current + this.#tooLarge) >> 1;
  }
}
