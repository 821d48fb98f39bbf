import { HandfastError } from "#kernel/errors.js";

/** What the process says when it ends: scripts rely on these numbers, so they never change. */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  notFound: 3,
  notPaired: 4,
  refused: 5,
  locked: 6,
  identityChanged: 7,
  timedOut: 8,
  conflicts: 9,
  interrupted: 130,
  terminated: 143,
} as const;

const BY_CODE: Readonly<Record<string, number>> = {
  USAGE: EXIT.usage,
  BAD_NAME: EXIT.usage,
  BAD_ADDRESS: EXIT.usage,
  BAD_LINK: EXIT.usage,
  FOLDER_MISSING: EXIT.usage,
  FOLDER_NOT_A_DIRECTORY: EXIT.usage,
  FOLDER_UNREADABLE: EXIT.usage,
  LOG_UNWRITABLE: EXIT.usage,
  MODES_DO_NOT_FIT: EXIT.usage,
  OTHER_METHOD: EXIT.usage,
  OTHER_APPLICATION: EXIT.usage,
  NOBODY_FOUND: EXIT.notFound,
  NOT_REACHABLE: EXIT.notFound,
  PAIRING_NOT_ANSWERED: EXIT.notFound,
  NOT_PAIRED: EXIT.notPaired,
  PEER_FORGOT_US: EXIT.notPaired,
  WINDOW_CLOSED: EXIT.notPaired,
  BOND_GONE: EXIT.notPaired,
  PAIRING_CANCELLED: EXIT.notPaired,
  PAIRING_BUSY: EXIT.notPaired,
  LINK_EXPIRED: EXIT.notPaired,
  DIGITS_REFUSED: EXIT.refused,
  WRONG_CODE: EXIT.refused,
  TOO_MANY_TRIES: EXIT.locked,
  INSIST_NEEDED: EXIT.locked,
  POSSIBLE_ATTACK: EXIT.identityChanged,
  LINK_USED_TWICE: EXIT.identityChanged,
  IDENTITY_CHANGED: EXIT.identityChanged,
  BOND_COPIED: EXIT.identityChanged,
  PAIRING_TIMED_OUT: EXIT.timedOut,
  TIMED_OUT: EXIT.timedOut,
};

export function exitCodeOf(error: unknown): number {
  return error instanceof HandfastError ? (BY_CODE[error.code] ?? EXIT.internal) : EXIT.internal;
}

/** The command cannot be carried out as it was typed. */
export class UsageError extends HandfastError {
  override readonly name = "UsageError";
  constructor(message: string) {
    super("USAGE", message);
  }
}
