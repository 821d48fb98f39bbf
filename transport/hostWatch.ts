import { isLinkLocal } from "#kernel/ipAddress.js";
import type { Instant } from "#kernel/ports.js";
import { sourceKey } from "./tokenBuckets.js";

/** A wall clock that runs ahead of the monotonic one by more than this has seen a sleep that the other has not. */
const HIDDEN_MS = 2_000;

export interface HostState {
  readonly now: Instant;
  /** Milliseconds since 1970. */
  readonly wall: number;
  /** The addresses of all interfaces, each as "interface address", in any order. */
  readonly addresses: readonly string[];
}

export interface HostChange {
  /** Other addresses than before: `Endpoint.networkChanged`. */
  readonly network: boolean;
  /** The device slept, and so much of it the monotonic clock does not show: `Endpoint.resume`. */
  readonly hiddenMs: number;
}

/** Notices, from one look to the next, that the machine slept or is on another network: PROTOCOL.md §8. */
export class HostWatch {
  #last: HostState;

  constructor(first: HostState) {
    this.#last = first;
  }

  look(state: HostState): HostChange {
    const last = this.#last;
    this.#last = state;
    const hidden = state.wall - last.wall - (state.now - last.now);
    return {
      network: fingerprint(state.addresses) !== fingerprint(last.addresses),
      // A clock that was set back, or corrected a little, is no sleep.
      hiddenMs: hidden > HIDDEN_MS ? hidden : 0,
    };
  }
}

/** IPv6 by its network: a host takes other addresses in it every day (RFC 8981), and is still where it was. Link-local ones do not rotate, and name no network. */
function fingerprint(addresses: readonly string[]): string {
  const places = addresses.map((each) => {
    const [name = "", address = ""] = each.split(" ");
    return `${name} ${isLinkLocal(address) ? address : sourceKey(address)}`;
  });
  return [...new Set(places)].sort().join();
}
