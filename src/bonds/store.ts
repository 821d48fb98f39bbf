import { HandfastError } from "#kernel/errors.js";
import type { RandomSource } from "#kernel/ports.js";
import type { Bond, Tombstone } from "./bond.js";
import { Secret } from "./secret.js";

/** Who this device is. */
export interface DeviceIdentity {
  /** X25519 secret, 32 bytes. */
  readonly staticSecret: Secret;
  /** 16 bytes: whoever holds it recognises our announcements. */
  readonly irk: Secret;
  /** 32 bytes: makes stateless reset tokens. */
  readonly resetKey: Secret;
  readonly name?: string;
}

/** Pairing attempts that survive a restart. Both only grow, except that a success sets failures to 0. */
export interface StoredAttempts {
  readonly failures: number;
  readonly windows: number;
}

/**
 * What a device remembers. Reading is from memory; each write resolves when it is durable, and only then shows in the reads.
 * Writes take effect in the order in which they were called. PROTOCOL.md §3.
 */
export interface BondStore {
  identity(): DeviceIdentity;
  setName(name: string): Promise<void>;
  /** In the order in which they were first put. */
  bonds(): readonly Bond[];
  /** Adds the bond, or replaces the one with its id; the tombstone of its device goes. */
  put(bond: Bond): Promise<void>;
  /**
   * Changes a bond as it is when the write's turn comes, and gives what is stored then. Undefined when there is no such bond any more,
   * or `change` gives undefined: nothing is written.
   */
  update(id: string, change: (bond: Bond) => Bond | undefined): Promise<Bond | undefined>;
  /** Forgets: the bond goes, a tombstone stays. False when there is no such bond. */
  remove(id: string, wallNow: number): Promise<boolean>;
  /** Drops a bond that a newer one of the same device replaced, or that was never confirmed: no tombstone. */
  drop(id: string): Promise<boolean>;
  tombstones(): readonly Tombstone[];
  attempts(): StoredAttempts;
  saveAttempts(attempts: StoredAttempts): Promise<void>;
  /** Waits for the writes under way and lets go of the directory. */
  close(): Promise<void>;
}

export type StateErrorCode =
  | "STATE_IN_USE"
  | "STATE_READABLE_BY_OTHERS"
  | "STATE_CORRUPT"
  | "STATE_FOREIGN"
  | "STATE_NEWER"
  | "STATE_UNWRITABLE"
  | "STATE_FULL"
  | "STATE_CLOSED";

/** The stored state cannot be used or changed. PROTOCOL.md §4. */
export class StateError extends HandfastError {
  override readonly name = "StateError";
  declare readonly code: StateErrorCode;
  constructor(code: StateErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

export function freshIdentity(random: RandomSource): DeviceIdentity {
  return {
    staticSecret: new Secret(random(32)),
    irk: new Secret(random(16)),
    resetKey: new Secret(random(32)),
  };
}
