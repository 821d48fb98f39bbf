import { HandfastError } from "#kernel/errors.js";

/** Reason codes of ABORT: SMP's numbers where the meaning is the same, PROTOCOL.md §6. */
export const REASON = {
  AUTHENTICATION_REQUIREMENTS: 0x03,
  CONFIRM_VALUE_FAILED: 0x04,
  UNSPECIFIED: 0x08,
  REPEATED_ATTEMPTS: 0x09,
  INVALID_PARAMETERS: 0x0a,
  DHKEY_CHECK_FAILED: 0x0b,
  NUMERIC_COMPARISON_FAILED: 0x0c,
  KEY_REJECTED: 0x0f,
  BUSY: 0x10,
  VERSION: 0x11,
  TIMEOUT: 0x12,
  WITHDRAWN: 0x13,
  STORAGE_FAILED: 0x15,
} as const;

export type PairingCode =
  | "DIGITS_REFUSED"
  | "POSSIBLE_ATTACK"
  | "PAIRING_CANCELLED"
  | "PAIRING_TIMED_OUT"
  | "PAIRING_NOT_ANSWERED"
  | "PAIRING_BUSY"
  | "TOO_MANY_TRIES"
  | "INCOMPATIBLE"
  | "STORAGE_FAILED";

const MESSAGES: Record<PairingCode, string> = {
  DIGITS_REFUSED:
    "The digits were refused on one of the two devices. Nothing was stored. Start again and compare them once more.",
  POSSIBLE_ATTACK:
    "The other side could not prove that it is the device you see: somebody may be between you. Nothing was stored. Try again on a network you trust.",
  PAIRING_CANCELLED: "Pairing was cancelled on one of the two devices. Nothing was stored.",
  PAIRING_TIMED_OUT: "Pairing took too long: both people have one minute to compare the digits. Start again.",
  PAIRING_NOT_ANSWERED:
    "The PC does not answer to pairing. Open its pairing window (`handfast share <folder> --pair`) and check that both are on the same network.",
  PAIRING_BUSY: "The PC is pairing with another device right now. Try again in a minute.",
  TOO_MANY_TRIES: "Too many tries failed, so the PC has closed its pairing window. Open it again there, then retry.",
  INCOMPATIBLE: "The two devices speak different versions of Handfast. Update the older one.",
  STORAGE_FAILED: "One of the devices could not store the new bond. Check its disk and permissions, then pair again.",
};

/** Pairing ended without a bond. */
export class PairingError extends HandfastError {
  override readonly name = "PairingError";
  declare readonly code: PairingCode;
  constructor(code: PairingCode, options?: ErrorOptions) {
    super(code, MESSAGES[code], options);
  }
}

/** What a person should read for a reason code, ours or the peer's. */
export function errorForReason(reason: number): PairingError {
  switch (reason) {
    case REASON.NUMERIC_COMPARISON_FAILED:
      return new PairingError("DIGITS_REFUSED");
    case REASON.CONFIRM_VALUE_FAILED:
    case REASON.DHKEY_CHECK_FAILED:
    case REASON.KEY_REJECTED:
    case REASON.INVALID_PARAMETERS:
      return new PairingError("POSSIBLE_ATTACK");
    case REASON.REPEATED_ATTEMPTS:
      return new PairingError("TOO_MANY_TRIES");
    case REASON.BUSY:
      return new PairingError("PAIRING_BUSY");
    case REASON.VERSION:
    case REASON.AUTHENTICATION_REQUIREMENTS:
      return new PairingError("INCOMPATIBLE");
    case REASON.TIMEOUT:
      return new PairingError("PAIRING_TIMED_OUT");
    case REASON.STORAGE_FAILED:
      return new PairingError("STORAGE_FAILED");
    default:
      return new PairingError("PAIRING_CANCELLED");
  }
}
