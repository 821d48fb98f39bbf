import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "#kernel/bytes.js";
import { Qlog, type QlogOptions } from "./qlog.js";

const FLUSH_BYTES = 64 * 1024;

/** Writes each connection into a `.sqlog` file of its own below `folder`. Records are buffered, 64 KiB at a time. */
export function qlogInto(folder: string): (connection: Omit<QlogOptions, "write" | "wall">) => Qlog {
  return (connection) => {
    const path = join(folder, `${toHex(connection.cid)}_${connection.role}.sqlog`);
    const file = openSync(path, "w", 0o600);
    let buffered = "";
    const flush = (): void => {
      writeSync(file, buffered);
      buffered = "";
    };
    const write = (record: string): void => {
      buffered += record;
      if (buffered.length >= FLUSH_BYTES) flush();
    };
    const log = new Qlog({ ...connection, wall: Date.now(), write });
    const { closed } = log;
    log.closed = (info) => {
      closed.call(log, info);
      flush();
      closeSync(file);
    };
    return log;
  };
}
