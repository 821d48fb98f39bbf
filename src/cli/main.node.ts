#!/usr/bin/env node
import process from "node:process";
import { CommanderError } from "commander";
import { makeRoomForDatagrams } from "#transport/datagramHeap.node.js";
import { EXIT } from "./exitCodes.js";
import { normalised } from "./options.node.js";
import { buildProgram } from "./program.node.js";

// A reader that has seen enough (`handfast find | head -1`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.internal);
});
process.stderr.on("error", () => {});
makeRoomForDatagrams();

// `npm start` alone shows what Handfast does; with arguments it is the command line.
const bare = process.argv.length === 2 && process.env["npm_lifecycle_event"] === "start";

try {
  await buildProgram().parseAsync(bare ? [...process.argv, "demo"] : normalised(process.argv));
} catch (error) {
  // Commander has told the person already; help and version are no errors.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
}
