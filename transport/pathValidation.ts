import { equalConstantTime } from "#kernel/bytes.js";
import { type Address, type Instant, type RandomSource, sameAddress } from "#kernel/ports.js";
import { MIN_PACKET } from "./packet.js";

const TRIES = 3;
/** So many unanswered challenges make us doubt the path: then a fresh handshake should be tried beside it. */
const SUSPECT_AFTER = 2;
/** RFC 9000 §8.1: to an address that has proved nothing, at most three times what came from it. */
const AMPLIFICATION = 3;
/** Somebody who copies our peer's packets from other addresses must not push out the one that is real. */
const MAX_PROBES = 4;

interface Probe {
  readonly address: Address;
  readonly token: Uint8Array;
  received: number;
  sent: number;
  tries: number;
  nextAt: Instant;
  askedAt: Instant;
}

/** What an answer to a challenge has shown. */
export interface Proof {
  /** Where the peer has moved. */
  readonly moved: { readonly address: Address; readonly sameHost: boolean } | undefined;
  /** Of the question and its answer, when it was asked only once. */
  readonly roundTripMs: number | undefined;
}

/**
 * Which address the peer is at. A valid packet from a new address only starts a challenge there; until the answer comes,
 * data keeps going to the old one (RFC 9000 §9, make before break).
 */
export class PathValidation {
  readonly #random: RandomSource;
  #current: Address;
  /** Newest first. */
  readonly #probes: Probe[] = [];
  #suspect = false;
  /** What the owner has not been told yet. */
  #news: "suspect" | "answers" | undefined;

  constructor(current: Address, random: RandomSource) {
    this.#current = current;
    this.#random = random;
  }

  get current(): Address {
    return this.#current;
  }

  /** An address waits to be proved. */
  get asks(): boolean {
    return this.#probes.length > 0;
  }

  get deadline(): Instant | undefined {
    let earliest: Instant | undefined;
    for (const probe of this.#probes) earliest = Math.min(earliest ?? probe.nextAt, probe.nextAt);
    return earliest;
  }

  /** An authenticated packet came from `from`. `newest`: it has the highest number so far. */
  onPacket(from: Address, bytes: number, newest: boolean, now: Instant): void {
    if (sameAddress(from, this.#current)) return;
    const known = this.#probes.find((probe) => sameAddress(probe.address, from));
    if (known) known.received += bytes;
    else if (newest) this.#begin(from, bytes, now);
  }

  /** Nothing was heard from where the peer was, although it was asked. */
  get suspect(): boolean {
    return this.#suspect;
  }

  /** Our own network changed, we slept, or nothing is acknowledged: is the peer still where it was? Asks at `at`, from the beginning. */
  verify(at: Instant): void {
    const known = this.#probes.find((probe) => sameAddress(probe.address, this.#current));
    if (!known) this.#begin(this.#current, Number.POSITIVE_INFINITY, at);
    else if (known.tries > 0) {
      known.tries = 0;
      known.nextAt = at;
    }
  }

  /** What we sent to the peer's address has arrived, and its answer here. */
  onAnswered(): void {
    if (!this.#suspect) return;
    this.#suspect = false;
    this.#news = "answers";
  }

  #begin(address: Address, received: number, nextAt: Instant): void {
    this.#probes.unshift({ address, token: this.#random(8), received, sent: 0, tries: 0, nextAt, askedAt: nextAt });
    if (this.#probes.length > MAX_PROBES) this.#probes.pop();
  }

  /** The challenge to send now, if one is due: `room` is how many bytes its datagram may have. */
  challenge(now: Instant, ptoMs: number): { to: Address; token: Uint8Array; room: number } | undefined {
    for (const probe of [...this.#probes]) {
      if (now < probe.nextAt) continue;
      if (probe.tries === SUSPECT_AFTER && sameAddress(probe.address, this.#current)) {
        this.#suspect = true;
        this.#news = "suspect";
      }
      if (probe.tries === TRIES) {
        this.#probes.splice(this.#probes.indexOf(probe), 1);
        continue;
      }
      probe.nextAt = now + ptoMs;
      probe.askedAt = now;
      probe.tries++;
      const room = probe.received * AMPLIFICATION - probe.sent;
      if (room >= MIN_PACKET) return { to: probe.address, token: probe.token, room };
    }
    return undefined;
  }

  /** How large an answer to a datagram of `received` bytes from `to` may be (RFC 9000 §8.2.2). */
  room(to: Address, received: number): number {
    if (sameAddress(to, this.#current)) return Number.POSITIVE_INFINITY;
    const probe = this.#probes.find(({ address }) => sameAddress(address, to));
    return probe ? probe.received * AMPLIFICATION - probe.sent : received * AMPLIFICATION;
  }

  onSent(to: Address, bytes: number): void {
    const probe = this.#probes.find(({ address }) => sameAddress(address, to));
    if (probe) probe.sent += bytes;
  }

  /** The peer's address does not answer, each time that this is found; or it does again. */
  takeNews(): "suspect" | "answers" | undefined {
    const news = this.#news;
    this.#news = undefined;
    return news;
  }

  /**
   * What the token proves, if anything. The answer has to come from there:
   * otherwise a copier could have our peer answer the challenge that it caused.
   */
  onResponse(token: Uint8Array, from: Address, now: Instant): Proof | undefined {
    const probe = this.#probes.find((one) => equalConstantTime(one.token, token));
    if (!probe || !sameAddress(probe.address, from)) return undefined;
    // Whatever else was asked about is older, or a copy: its packets will say so again if it is real.
    this.#probes.length = 0;
    this.onAnswered();
    const roundTripMs = probe.tries === 1 ? now - probe.askedAt : undefined;
    const { address } = probe;
    if (sameAddress(address, this.#current)) return { moved: undefined, roundTripMs };
    const sameHost = address.host === this.#current.host;
    this.#current = address;
    return { moved: { address, sameHost }, roundTripMs };
  }
}
