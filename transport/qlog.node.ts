import { accessSync, closeSync, constants, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { toHex } from "#kernel/bytes.js";
import { LogUnwritableError } from "./logUnwritable.node.js";
import { Qlog, type QlogOptions } from "./qlog.js";
import type { QlogFormat } from "./qlogDialect.js";

const FLUSH_BYTES = 64 * 1024;

/**
 * Writes each connection into a `.sqlog` file of its own below `folder`, which is made if need be. Records are buffered, 64 KiB at
 * a time, and at the end of the program. Throws LogUnwritableError; what cannot be written later ends the trace, never the connection.
 */
export function qlogInto(
  folder: string,
  format: QlogFormat = "0.3",
): (connection: Omit<QlogOptions, "write" | "wall" | "format">) => Qlog | undefined {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new LogUnwritableError(folder, error);
  }
  return (connection) => {
    const trace = Trace.open(join(folder, `${toHex(connection.cid)}_${connection.role}.sqlog`));
    if (!trace) return undefined;
    const log = new Qlog({ ...connection, wall: Date.now(), format, write: (record) => trace.write(record) });
    const { closed } = log;
    log.closed = (info) => {
      closed.call(log, info);
      trace.close();
    };
    return log;
  };
}

/** What a program that ends in the middle of its connections has not written yet. */
const OPEN = new Set<Trace>();
const flushAll = (): void => {
  for (const trace of OPEN) trace.close();
};

/** One file, until it is closed or the disk is full. */
class Trace {
  #file: number | undefined;
  #buffered = "";

  static open(path: string): Trace | undefined {
    try {
      return new Trace(openSync(path, "w", 0o600));
    } catch {
      return undefined;
    }
  }

  private constructor(file: number) {
    this.#file = file;
    if (OPEN.size === 0) process.once("exit", flushAll);
    OPEN.add(this);
  }

  write(record: string): void {
    if (this.#file === undefined) return;
    this.#buffered += record;
    if (this.#buffered.length >= FLUSH_BYTES) this.#flush();
  }

  close(): void {
    this.#flush();
    OPEN.delete(this);
    if (OPEN.size === 0) process.off("exit", flushAll);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #flush(): void {
    const text = this.#buffered;
    this.#buffered = "";
    if (this.#file === undefined) return;
    try {
      writeSync(this.#file, text);
    } catch {
      closeSync(this.#file);
      this.#file = undefined;
    }
  }
}
