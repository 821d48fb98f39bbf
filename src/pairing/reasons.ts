import { HandfastError } from "#kernel/errors.js";
import { MODEL, type Model } from "./models.js";

/** Reason codes of ABORT: SMP's numbers where the meaning is the same, PROTOCOL.md §6. */
export const REASON = {
  OOB_NOT_AVAILABLE: 0x02,
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
  OTHER_APPLICATION: 0x16,
  LINK_USED_TWICE: 0x17,
} as const;

export type PairingCode =
  | "DIGITS_REFUSED"
  | "WRONG_CODE"
  | "POSSIBLE_ATTACK"
  | "PAIRING_CANCELLED"
  | "PAIRING_TIMED_OUT"
  | "PAIRING_NOT_ANSWERED"
  | "PAIRING_BUSY"
  | "TOO_MANY_TRIES"
  | "INSIST_NEEDED"
  | "INCOMPATIBLE"
  | "OTHER_METHOD"
  | "OTHER_APPLICATION"
  | "LINK_EXPIRED"
  | "LINK_USED_TWICE"
  | "STORAGE_FAILED";

const MESSAGES: Record<PairingCode, string> = {
  DIGITS_REFUSED: "A person at one of the two devices said no. Nothing was stored. Start again and compare once more.",
  WRONG_CODE:
    "The letters did not match, and the PC has replaced them. Nothing was stored. Start again with the letters it shows now; if they fail again although typed right, somebody may be between you.",
  POSSIBLE_ATTACK:
    "The other side could not prove that it is the device you see: somebody may be between you. Nothing was stored. Try again on a network you trust.",
  PAIRING_CANCELLED: "Pairing was cancelled on one of the two devices. Nothing was stored.",
  PAIRING_TIMED_OUT:
    "Pairing took too long: every question to a person has to be answered within one minute. Start again.",
  PAIRING_NOT_ANSWERED:
    "The PC does not answer to pairing. Open its pairing window (`handfast share <folder> --pair`) and check that both are on the same network.",
  PAIRING_BUSY: "The PC is pairing with another device right now. Try again in a minute.",
  TOO_MANY_TRIES: "Too many tries failed, so the PC has closed its pairing window. Open it again there, then retry.",
  INSIST_NEEDED:
    "Ten tries to pair have failed in a row: somebody may be guessing the letters. Nothing was opened. If those tries were yours, say so and open it again; comparing digits or a link work as before.",
  INCOMPATIBLE: "The two devices speak different versions of Handfast. Update the older one.",
  OTHER_METHOD:
    "The other device was told to pair in another way. Choose the same one on both: compare digits, type letters, or scan a code.",
  OTHER_APPLICATION: "The device at this address belongs to another application. Choose another device.",
  LINK_EXPIRED: "This link has expired or was used before. Show a new one on the PC.",
  LINK_USED_TWICE:
    "The same link was used twice: somebody else may have seen it. Nothing was stored. Show a new link where only you can see it.",
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

const CODES: Readonly<Record<number, PairingCode>> = {
  [REASON.OOB_NOT_AVAILABLE]: "LINK_EXPIRED",
  [REASON.AUTHENTICATION_REQUIREMENTS]: "OTHER_METHOD",
  [REASON.CONFIRM_VALUE_FAILED]: "POSSIBLE_ATTACK",
  [REASON.REPEATED_ATTEMPTS]: "TOO_MANY_TRIES",
  [REASON.INVALID_PARAMETERS]: "POSSIBLE_ATTACK",
  [REASON.DHKEY_CHECK_FAILED]: "POSSIBLE_ATTACK",
  [REASON.NUMERIC_COMPARISON_FAILED]: "DIGITS_REFUSED",
  [REASON.KEY_REJECTED]: "POSSIBLE_ATTACK",
  [REASON.BUSY]: "PAIRING_BUSY",
  [REASON.VERSION]: "INCOMPATIBLE",
  [REASON.TIMEOUT]: "PAIRING_TIMED_OUT",
  [REASON.STORAGE_FAILED]: "STORAGE_FAILED",
  [REASON.OTHER_APPLICATION]: "OTHER_APPLICATION",
  [REASON.LINK_USED_TWICE]: "LINK_USED_TWICE",
};

/** What a person should read for a reason code, ours or the peer's. */
export function errorForReason(reason: number, model: Model): PairingError {
  // A commitment that does not fit means a wrong letter far more often than an attack.
  if (reason === REASON.CONFIRM_VALUE_FAILED && model === MODEL.passkey) return new PairingError("WRONG_CODE");
  return new PairingError(CODES[reason] ?? "PAIRING_CANCELLED");
}
