import { equalConstantTime } from "#kernel/bytes.js";
import { type Address, type Instant, type RandomSource, sameAddress } from "#kernel/ports.js";

const TRIES = 3;
/** RFC 9000 §8.1: to an address that has proved nothing, at most three times what came from it. */
const AMPLIFICATION = 3;

interface Probe {
  readonly address: Address;
  readonly token: Uint8Array;
  received: number;
  sent: number;
  tries: number;
  nextAt: Instant;
}

/**
 * Which address the peer is at. A valid packet from a new address only starts a challenge there; until the answer comes,
 * data keeps going to the old one (RFC 9000 §9, make before break).
 */
export class PathValidation {
  readonly #random: RandomSource;
  #current: Address;
  #probe: Probe | undefined;

  constructor(current: Address, random: RandomSource) {
    this.#current = current;
    this.#random = random;
  }

  get current(): Address {
    return this.#current;
  }

  get deadline(): Instant | undefined {
    return this.#probe?.nextAt;
  }

  /** An authenticated packet came from `from`. `newest`: it has the highest number so far. */
  onPacket(from: Address, bytes: number, newest: boolean, now: Instant): void {
    if (sameAddress(from, this.#current)) return;
    if (this.#probe && sameAddress(this.#probe.address, from)) this.#probe.received += bytes;
    else if (newest)
      this.#probe = { address: from, token: this.#random(8), received: bytes, sent: 0, tries: 0, nextAt: now };
  }

  /** The challenge to send now, if one is due: `room` is how many bytes its datagram may have. */
  challenge(now: Instant, ptoMs: number): { to: Address; token: Uint8Array; room: number } | undefined {
    const probe = this.#probe;
    if (!probe || now < probe.nextAt) return undefined;
    if (probe.tries === TRIES) {
      this.#probe = undefined;
      return undefined;
    }
    probe.nextAt = now + ptoMs;
    probe.tries++;
    const room = probe.received * AMPLIFICATION - probe.sent;
    return room > 0 ? { to: probe.address, token: probe.token, room } : undefined;
  }

  onChallengeSent(bytes: number): void {
    if (this.#probe) this.#probe.sent += bytes;
  }

  /** Returns the new address when the token proves it, and whether only the port changed. */
  onResponse(token: Uint8Array): { address: Address; sameHost: boolean } | undefined {
    const probe = this.#probe;
    if (!probe || !equalConstantTime(probe.token, token)) return undefined;
    this.#probe = undefined;
    const sameHost = probe.address.host === this.#current.host;
    this.#current = probe.address;
    return { address: probe.address, sameHost };
  }
}
