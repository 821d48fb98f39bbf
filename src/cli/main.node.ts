#!/usr/bin/env node
import process from "node:process";
import { CommanderError } from "commander";
import { EXIT } from "./exitCodes.js";
import { buildProgram } from "./program.node.js";

// A reader that has seen enough (`handfast find | head -1`) is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.internal);
});
process.stderr.on("error", () => {});

try {
  await buildProgram().parseAsync();
} catch (error) {
  // Commander has told the person already; help and version are no errors.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
}
