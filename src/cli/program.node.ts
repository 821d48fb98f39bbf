import { createRequire } from "node:module";
import { Command, InvalidArgumentError, Option } from "commander";
import type { CommonOptions } from "./context.node.js";
import { demo } from "./demo.node.js";
import { devices, forget, status } from "./devices.node.js";
import { doctor } from "./doctor.node.js";
import { find } from "./find.node.js";
import { LOOK_SECONDS } from "./findPc.node.js";
import { join } from "./join.node.js";
import { pair } from "./pair.node.js";
import { run } from "./run.node.js";
import { share, WINDOW_SECONDS } from "./share.node.js";

const EXAMPLES = `
Examples:
  handfast share ~/Photos            on the PC: offer a folder
  handfast join ~/Photos             on the laptop: find the PC, compare six digits, sync
  handfast demo                      both on this machine, to see how it goes

Exit codes:
  0 ok  1 internal error  2 usage  3 nobody found or unreachable  4 not paired  5 digits refused
  6 locked after too many tries  7 identity changed  8 timed out  9 conflicts left (--once)  130 Ctrl-C  143 terminated

A question is answered by a line on standard input, y or n; the end of input means no.`;

/** `--pair` takes the seconds only when they are there: in `share --pair ~/Photos` the folder is the folder. */
export function normalised(args: readonly string[]): string[] {
  return args.map((arg, i) =>
    arg === "--pair" && !/^\d+$/.test(args[i + 1] ?? "") ? `--pair=${WINDOW_SECONDS}` : arg,
  );
}

/** The command line of design §10 as commander knows it. */
export function buildProgram(): Command {
  const program = new Command("handfast")
    .description("Two devices on one network meet once, two people compare six digits, and a folder stays in sync.")
    .version(version(), "-V, --version")
    .exitOverride()
    .showHelpAfterError("(handfast --help shows what there is)")
    .configureHelp({ subcommandTerm: (each) => `${each.name()} ${each.usage().replace("[options] ", "")}` })
    .addHelpText("after", EXAMPLES);
  command(program, "share <folder>", "offer a folder; opens pairing when nobody is paired yet")
    .option("--pair [seconds]", "open the pairing window for this long, also for more devices (default 120)", seconds)
    .action((folder: string, options) => run(options, (context) => share(context, folder, options)));
  wish(command(program, "join <folder>", "find the PC, pair the first time, keep the folder in sync"))
    .option("--once", "sync once and stop")
    .addOption(new Option("--mode <mode>", "which way files go").choices(["both", "send", "receive"]).default("send"))
    .action((folder: string, options) => run(options, (context) => join(context, folder, options)));
  command(program, "find", "list the Handfast devices on the network")
    .addOption(new Option("--seconds <number>", "how long to look").argParser(seconds).default(3))
    .action((options) => run(options, (context) => find(context, options)));
  const pairing = "pair and sync nothing; on the PC: open the window of the running share again";
  wish(command(program, "pair", pairing)).action((options) => run(options, (context) => pair(context, options)));
  command(program, "devices", "list the devices that this one has paired with").action((options) =>
    run(options, devices),
  );
  command(program, "forget <device>", "forget a device, by its name or its id; its sessions end at once").action(
    (device: string, options) => run(options, (context) => forget(context, device)),
  );
  command(program, "status", "what is running here, with its devices and what it dropped").action((options) =>
    run(options, status),
  );
  command(program, "doctor", "check whether this machine can see others and be seen").action((options) =>
    run(options, doctor),
  );
  command(program, "demo [folder]", "a PC and a laptop on this machine, to see how it goes").action(
    (folder: string | undefined, options) => run(options, (context) => demo(context, folder)),
  );
  for (const name of LATER) refuse(program, name);
  return program;
}

/** In the plan, but not in this version: saying so is better than "unknown command". */
const LATER = ["conflicts", "restore", "service", "bench", "tunnel", "expose"] as const;

function refuse(program: Command, name: string): void {
  program
    .command(`${name} [anything...]`, { hidden: true })
    .allowUnknownOption()
    .action(() => program.error(`error: this version of Handfast does not have "${name}" yet`));
}

function command(program: Command, usage: string, summary: string): Command {
  return program
    .command(usage)
    .description(summary)
    .exitOverride()
    .option("--json", "one JSON object a line on standard output")
    .option("--state <folder>", "where this device keeps its identity and its bonds (also HANDFAST_HOME)")
    .option("--interface <name>", "only this network interface, such as lo or wlan0; may be repeated", collect)
    .option("--name <name>", "what other screens call this device")
    .option("--port <number>", "UDP port; 0 for any free one", port)
    .addOption(
      new Option("--crypto <back end>", "node:crypto where it is faster, or noble alone").choices(["node", "noble"]),
    )
    .option("--rekey <seconds>", "fresh keys after so many seconds (default 600)", seconds) as Command;
}

/** Options that say which PC is meant. */
function wish(command: Command): Command {
  return command
    .option("--peer <host[:port]>", "the PC's address, where it cannot be found by itself")
    .option("--to <name>", "the PC's name, where there are several")
    .addOption(
      new Option("--wait <seconds>", "how long to look for a PC to pair with").argParser(seconds).default(LOOK_SECONDS),
    );
}

function collect(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return value;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 86_400)
    throw new InvalidArgumentError("Seconds are a whole number from 1 to 86400.");
  return value;
}

function version(): string {
  const require = createRequire(import.meta.url);
  return (require("handfast/package.json") as { readonly version: string }).version;
}

export type { CommonOptions };
