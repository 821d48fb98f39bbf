import { appendFileSync, writeFileSync } from "node:fs";
import { LogUnwritableError } from "./logUnwritable.node.js";

/**
 * Appends the secrets of every epoch to `path`, for a dissector. Whoever has that file reads everything, so it is never on by
 * itself: the caller asks for it, and `warn` gets a sentence that the user must see. Throws LogUnwritableError.
 */
export function keyLogInto(path: string, warn: (message: string) => void): (line: string) => void {
  try {
    writeFileSync(path, "", { flag: "a", mode: 0o600 });
  } catch (error) {
    throw new LogUnwritableError(path, error);
  }
  warn(`The keys of every connection are written to ${path}. Whoever can read that file can read all traffic.`);
  return (line) => {
    try {
      appendFileSync(path, `${line}\n`);
    } catch {
      // A full disk costs the log, not the connection.
    }
  };
}
