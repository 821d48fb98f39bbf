import { HandfastError } from "#kernel/errors.js";

/** Two holders of one bond: PROTOCOL.md §3, §5. Thrown by `connect`, emitted as `error` by the server; nothing was changed. */
export class BondCopiedError extends HandfastError {
  override readonly name = "BondCopiedError";
  readonly device: string;
  constructor(device: string, peerName: string) {
    super(
      "BOND_COPIED",
      `The pairing with ${peerName} is out of date: somebody else holds a copy of it and has used it, or one of the two devices was restored from a backup. Forget it on both devices, then pair them again.`,
    );
    this.device = device;
  }
}

/** Nobody answered, and another device stands where the known one was: PROTOCOL.md §3. A hint from announcements that nobody signs. */
export class IdentityChangedError extends HandfastError {
  override readonly name = "IdentityChangedError";
  readonly device: string;
  constructor(device: string, peerName: string) {
    super(
      "IDENTITY_CHANGED",
      `${peerName} does not answer, and in its place there is a device with another identity. If you reinstalled ${peerName}, forget it here and pair again. If not, somebody may be posing as it: do not pair.`,
    );
    this.device = device;
  }
}

/** What went wrong with a store, as the application hears it. */
export function storageError(error: unknown): HandfastError {
  return error instanceof HandfastError ? error : new HandfastError("STORAGE_FAILED", String(error));
}
