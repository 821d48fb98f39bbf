import { HandfastError } from "#kernel/errors.js";

/** A log was asked for at a place where none can be written. */
export class LogUnwritableError extends HandfastError {
  override readonly name = "LogUnwritableError";
  constructor(path: string, cause: unknown) {
    super("LOG_UNWRITABLE", `No log can be written to ${path}. Choose another place, or leave the log out.`, { cause });
  }
}
