import { equalConstantTime } from "#kernel/bytes.js";
import { PairingWorld, type PairingWorldOptions, PC, PHONE, type Phone } from "../support/pairing.js";
import { Attacker, EVE } from "./attacker.js";
import { ImpostorInitiator, type ImpostorOptions, ImpostorResponder } from "./impostors.js";

/** How an attack ended. `succeeded` means that the attacker got what the attack is for. */
export interface Outcome {
  readonly succeeded: boolean;
  readonly why: string;
}

/** A PC, a phone, their people, and somebody who has the wire between them. */
export class Stage {
  readonly world: PairingWorld;
  readonly wire: Attacker;

  constructor(options: PairingWorldOptions) {
    this.world = new PairingWorld(options);
    this.wire = new Attacker(this.world.network);
  }

  /** From now on the phone at `phone` talks to the attacker instead of the PC. */
  asPc(options: Partial<ImpostorOptions> = {}, phone: typeof PHONE = PHONE): ImpostorResponder {
    const { crypto, random } = this.world;
    const send = (bytes: Uint8Array): void => this.wire.inject(bytes, PC, phone);
    const impostor = new ImpostorResponder({ crypto, random: random.bytes, send, ...options });
    this.wire.intercept(({ bytes, from }) => {
      if (from.host !== phone.host || from.port !== phone.port) return undefined;
      impostor.receive(bytes);
      return "drop";
    });
    return impostor;
  }

  /** The attacker as a client of its own. */
  asClient(options: Partial<ImpostorOptions> = {}, at: typeof EVE = EVE): ImpostorInitiator {
    const { crypto, random, network } = this.world;
    const socket = network.socket(at);
    const send = (bytes: Uint8Array): void => socket.send(bytes, PC);
    const impostor = new ImpostorInitiator({ crypto, random: random.bytes, send, ...options });
    socket.onDatagram((bytes) => impostor.receive(bytes));
    return impostor;
  }

  wait(ms: number): void {
    this.world.clock.runUntil(() => false, ms);
  }

  waitFor(done: () => boolean, limitMs = 100_000): boolean {
    return this.world.clock.runUntil(done, limitMs);
  }

  /** True when some honest side holds a bond whose secret the attacker knows. */
  knows(psk: Uint8Array | undefined): boolean {
    const bonds = [...this.world.pcBonds, ...(this.world.phone?.bonds ?? [])];
    return psk !== undefined && bonds.some((bond) => equalConstantTime(bond.psk, psk));
  }

  get bonds(): number {
    return this.world.pcBonds.length + (this.world.phone?.bonds.length ?? 0);
  }
}

/** The code of the error a phone's attempt ended with, or "done", or "nothing". */
export function endOf(phone: Phone | undefined): string {
  const outcome = phone?.outcome;
  return outcome?.type === "failed" ? outcome.error.code : (outcome?.type ?? "nothing");
}
