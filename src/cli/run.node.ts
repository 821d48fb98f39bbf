import process from "node:process";
import { HandfastError } from "#kernel/errors.js";
import { type CommonOptions, type Context, contextFor } from "./context.node.js";
import { EXIT, exitCodeOf } from "./exitCodes.js";
import { Screen } from "./screen.node.js";

/** Runs one command and ends the process with its exit code. Ctrl-C stops it in order; a second one at once. */
export async function run(options: CommonOptions, command: (context: Context) => Promise<number>): Promise<never> {
  const stop = new AbortController();
  let code: number | undefined;
  const onSignal = (wish: number): void => {
    if (code !== undefined) process.exit(wish);
    code = wish;
    stop.abort(new DOMException("stopped by the person", "AbortError"));
  };
  process.on("SIGINT", () => onSignal(EXIT.interrupted));
  process.on("SIGTERM", () => onSignal(EXIT.terminated));
  // A Node program that started this one over a channel has ended, however it ended.
  process.once("disconnect", () => onSignal(EXIT.terminated));
  const screen = new Screen(options.json === true);
  let result: number;
  try {
    result = await command(await contextFor(options, stop.signal));
  } catch (error) {
    result = code === undefined ? report(screen, error) : code;
  }
  return await exit(code ?? result);
}

function report(screen: Screen, error: unknown): number {
  if (error instanceof HandfastError) screen.error(error.code, error.message);
  else {
    screen.error("INTERNAL", error instanceof Error ? error.message : String(error));
    if (process.env["HANDFAST_DEBUG"]) console.error(error);
  }
  return exitCodeOf(error);
}

/** Not before everything written has left. */
async function exit(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => {
      if (stream.destroyed || stream.writableLength === 0) resolve();
      else stream.write("", () => resolve());
    });
  process.exit(code);
}
