import { type Command, InvalidArgumentError, Option } from "commander";
import { LOOK_SECONDS, WINDOW_SECONDS } from "./defaults.js";

/** What every command takes. */
export function withState(command: Command): Command {
  // Of no use without a network, but a script may give the same options to every command.
  for (const option of networkOptions()) command.addOption(option.hideHelp());
  return shared(command);
}

/** What every command takes that talks to others. */
export function withNetwork(command: Command): Command {
  shared(command);
  for (const option of networkOptions()) command.addOption(option);
  return command;
}

function shared(command: Command): Command {
  return command
    .option("--json", "one JSON object a line on standard output")
    .option("--state <folder>", "where this device keeps its identity and its bonds (also HANDFAST_HOME)");
}

function networkOptions(): Option[] {
  return [
    new Option("--interface <name>", "only this network interface, such as lo or wlan0; may be repeated").argParser(
      collect,
    ),
    new Option("--name <name>", "what other screens call this device"),
    new Option("--port <number>", "UDP port; 0 for any free one").argParser(port),
    new Option("--crypto <back end>", "node:crypto where it is faster, or noble alone").choices(["node", "noble"]),
    new Option("--rekey <seconds>", "fresh keys after so many seconds (default 600)").argParser(seconds),
  ];
}

/** Which PC is meant. */
export function withWish(command: Command): Command {
  return withNetwork(command)
    .option("--peer <host[:port]>", "the PC's address, where it cannot be found by itself; IPv6 as [fe80::1%eth0]:4760")
    .option("--to <name>", "the PC's name, where there are several")
    .addOption(new Option("--wait <seconds>", "how long to look for the PC").argParser(seconds).default(LOOK_SECONDS));
}

/** How the person on the PC wants to pair. */
export function withWayToShow(command: Command): Command {
  return command
    .option("--code", "pair by five letters: shown on the PC, typed on the other device")
    .addOption(new Option("--qr", "pair by a QR code or link, shown on the PC").conflicts("code"));
}

/** How the person on the client wants to pair. */
export function withLink(command: Command): Command {
  return command.addOption(
    new Option(
      "--link <text>",
      "pair by the link that the PC shows; - reads it from standard input (also HANDFAST_LINK)",
    )
      .conflicts("code")
      .conflicts("qr"),
  );
}

export function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 86_400)
    throw new InvalidArgumentError("Seconds are a whole number from 1 to 86400.");
  return value;
}

/** `--pair` takes the seconds only when they are there: in `share --pair ~/Photos` the folder is the folder. */
export function normalised(args: readonly string[]): string[] {
  return args.map((arg, i) =>
    arg === "--pair" && !/^\d+$/.test(args[i + 1] ?? "") ? `--pair=${WINDOW_SECONDS}` : arg,
  );
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return value;
}

function collect(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...name.split(",")];
}
