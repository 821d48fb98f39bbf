import { HandfastError } from "#kernel/errors.js";

/** What to type, where the library only knows what happened. */
const ADVICE: Readonly<Record<string, string>> = {
  PEER_FORGOT_US:
    "Here: handfast forget <device> (handfast devices lists them); there: handfast share <folder> --pair; then pair again.",
  IDENTITY_CHANGED:
    "Only if you know why: handfast forget <device> here (handfast devices lists them), then pair again.",
  BOND_COPIED:
    "On both: handfast forget <device> (handfast devices lists them); on the PC: handfast share <folder> --pair; then pair again. If nothing was restored from a backup, find out who could read the state directory.",
  STREAM_RESET: "Its screen says why.",
};

export function withAdvice<Problem>(error: Problem): Problem | HandfastError {
  if (!(error instanceof HandfastError)) return error;
  const { code, message } = error;
  if (code === "STREAM_RESET")
    return new HandfastError(code, "The other device stopped syncing; its screen says why.", { cause: error });
  const advice = ADVICE[code];
  return advice === undefined ? error : new HandfastError(code, `${message} ${advice}`, { cause: error });
}

/** The other side has ended its sync on purpose: `SyncSession` resets the stream with 0 then, and with 1 when something failed. */
export function isGoodbye(error: unknown): boolean {
  return (
    error instanceof HandfastError && error.code === "STREAM_RESET" && "resetCode" in error && error.resetCode === 0
  );
}
