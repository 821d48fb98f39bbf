import type { Address } from "#kernel/ports.js";
import { decodeMessage, encodeMessage, type Message } from "#pairing/messages.js";
import type { SimulatedNetwork } from "../simulation/network.js";

/** Where the attacker sits when it speaks for itself. */
export const EVE: Address = { host: "10.0.0.66", port: 6666 };

/** A datagram as the attacker saw it. */
export interface Seen {
  readonly bytes: Uint8Array;
  readonly from: Address;
  readonly to: Address;
}

/** What travels instead of a datagram. Undefined: the next rule decides, and after the last one it passes. */
export type Verdict = "pass" | "drop" | readonly Uint8Array[] | undefined;

/** Somebody who has the whole wire: reads, swallows, edits, repeats and invents every datagram. */
export class Attacker {
  readonly seen: Seen[] = [];
  readonly network: SimulatedNetwork;
  readonly #rules: ((seen: Seen) => Verdict)[] = [];

  constructor(network: SimulatedNetwork) {
    this.network = network;
    network.tap = (bytes, from, to) => this.#decide({ bytes, from, to });
  }

  intercept(rule: (seen: Seen) => Verdict): this {
    this.#rules.push(rule);
    return this;
  }

  /** Edits every pairing message of this type; `edit` may return undefined to swallow it. */
  rewrite<T extends Message["type"]>(type: T, edit: (message: Message & { type: T }) => Message | undefined): this {
    return this.intercept(({ bytes }) => {
      const message = pairingMessage(bytes);
      if (message?.type !== type) return undefined;
      const edited = edit(message as Message & { type: T });
      return edited ? [encodeMessage(edited)] : "drop";
    });
  }

  drop(type: Message["type"]): this {
    return this.rewrite(type, () => undefined);
  }

  /** Sends what it hears from `address` back to it, as if the other side had said so. */
  reflect(type: Message["type"], edit: (message: Message) => Message = (message) => message): this {
    return this.intercept(({ bytes, from, to }) => {
      const message = pairingMessage(bytes);
      if (message?.type !== type) return undefined;
      this.inject(encodeMessage(edit(message)), to, from);
      return "drop";
    });
  }

  inject(bytes: Uint8Array, from: Address, to: Address): void {
    this.network.inject(bytes, from, to);
  }

  replay({ bytes, from, to }: Seen): void {
    this.inject(bytes, from, to);
  }

  /** The pairing messages of this type that crossed the wire. */
  messages<T extends Message["type"]>(type: T): (Message & { type: T })[] {
    return this.seen
      .map(({ bytes }) => pairingMessage(bytes))
      .filter((message): message is Message & { type: T } => message?.type === type);
  }

  #decide(seen: Seen): readonly Uint8Array[] {
    this.seen.push(seen);
    for (const rule of this.#rules) {
      const verdict = rule(seen);
      if (verdict === "drop") return [];
      if (verdict === "pass") break;
      if (verdict) return verdict;
    }
    return [seen.bytes];
  }
}

/** The pairing message in a datagram, or undefined. */
export function pairingMessage(bytes: Uint8Array): Message | undefined {
  try {
    return decodeMessage(bytes);
  } catch {
    return undefined;
  }
}
