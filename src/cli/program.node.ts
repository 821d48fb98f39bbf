import { createRequire } from "node:module";
import { Command, Option } from "commander";
import { FIND_SECONDS, WINDOW_SECONDS } from "./defaults.js";
import { seconds, withLink, withNetwork, withState, withWayToShow, withWish } from "./options.node.js";
import { run } from "./run.node.js";

const EXAMPLES = `
Examples:
  handfast share ~/Photos            on the PC: offer a folder
  handfast join ~/Photos             on the laptop: find the PC, compare six digits, sync
  handfast pair                      on the PC, beside the running share: let one more device in
  handfast demo                      both on this machine, to see how it goes
  handfast demo mitm                 an attacker between two devices, to see how it fails

Exit codes:
  0 ok  1 internal error  2 usage  3 nobody found or unreachable  4 not paired  5 digits refused
  6 locked after too many tries  7 identity changed  8 timed out  9 conflicts left (--once)  130 Ctrl-C  143 terminated

A question is answered by a line on standard input, y or n; the end of input means no.`;

const SHARE_EXAMPLES = `
Examples:
  handfast share ~/Photos
  handfast share ~/Photos --pair 300          let one more device in, within five minutes
  handfast share ~/Photos --code              pairs by letters instead of digits; --qr by a QR code
  handfast share ~/Photos --json | jq -r 'select(.event == "pairing").digits'`;

const JOIN_EXAMPLES = `
Examples:
  handfast join ~/Photos                      finds the PC, keeps the folder in sync
  handfast join ~/Photos --once               for scripts: sync, then end
  handfast join ~/Photos --peer 192.168.1.20  where multicast is blocked`;

const PAIR_EXAMPLES = `
Examples:
  handfast pair                     finds the PC and compares six digits; on the PC, lets one more device in
  handfast pair --open --code       on the PC without a share: shows five letters
  handfast pair --code              on the other device: asks for them
  handfast pair --qr                on the PC: shows a QR code and a link, with or without a share
  handfast pair --link -            on the other device: reads the link from standard input, where no process list shows it`;

/** The command line of design §10 as commander knows it. What a command needs is loaded when it runs. */
export function buildProgram(): Command {
  const program = new Command("handfast")
    .description("Two devices on one network meet once, two people compare six digits, and a folder stays in sync.")
    .version(version(), "-V, --version")
    .exitOverride()
    .showHelpAfterError("(handfast --help shows what there is)")
    .configureHelp({ subcommandTerm: (each) => `${each.name()} ${each.usage().replace(/\[options\] ?/, "")}` })
    .addHelpText("after", EXAMPLES);
  addSharing(program);
  addLooking(program);
  addDevices(program);
  const demo = withState(program.command("demo [folder]"))
    .description("a PC and a laptop on this machine, to see how it goes; a folder named here is only read")
    .action((folder: string | undefined, options) =>
      run(options, async (context) => (await import("./demo.node.js")).demo(context, folder)),
    );
  withState(demo.command("mitm"))
    .description("an attacker between two devices: what a look-alike shows, and what this one does")
    .action((_options, command: Command) =>
      run(command.optsWithGlobals(), async (context) => (await import("./demoAttack.node.js")).demoAttack(context)),
    );
  for (const name of LATER) refuse(program, name);
  return program;
}

function addSharing(program: Command): void {
  withWayToShow(withNetwork(program.command("share <folder>")))
    .description("offer a folder; opens pairing when nobody is paired yet")
    .option("--pair [seconds]", `open pairing, also for one more device (default ${WINDOW_SECONDS} s)`, seconds)
    .addHelpText("after", SHARE_EXAMPLES)
    .action((folder: string, options) =>
      run(options, async (context) => (await import("./share.node.js")).share(context, folder, options)),
    );
  withLink(withWish(program.command("join <folder>")))
    .description("find the PC, pair the first time, keep the folder in sync")
    .option("--once", "sync once and stop")
    .option("--code", "pair by the five letters that the PC shows, typed here")
    .addOption(new Option("--mode <mode>", "which way files go").choices(["both", "send", "receive"]).default("send"))
    .addHelpText("after", JOIN_EXAMPLES)
    .action((folder: string, options) =>
      run(options, async (context) => (await import("./join.node.js")).join(context, folder, options)),
    );
}

function addLooking(program: Command): void {
  withNetwork(program.command("find"))
    .description("list the Handfast devices on the network")
    .addOption(new Option("--seconds <number>", "how long to look").argParser(seconds).default(FIND_SECONDS))
    .action((options) => run(options, async (context) => (await import("./find.node.js")).find(context, options)));
  withLink(withWayToShow(withWish(program.command("pair"))))
    .description(
      "pair and sync nothing; on the PC: open pairing again, on the running share or with --open or --qr alone",
    )
    .addOption(
      new Option("--open [seconds]", `be the PC: open pairing here (default ${WINDOW_SECONDS} s)`)
        .preset(String(WINDOW_SECONDS))
        .argParser(seconds)
        .conflicts("link"),
    )
    .addHelpText("after", PAIR_EXAMPLES)
    .action((options) => run(options, async (context) => (await import("./pair.node.js")).pair(context, options)));
  withNetwork(program.command("doctor"))
    .description("check whether this machine can see others and be seen")
    .action((options) => run(options, async (context) => (await import("./doctor.node.js")).doctor(context)));
}

function addDevices(program: Command): void {
  withState(program.command("devices"))
    .description("list the devices that this one has paired with")
    .action((options) => run(options, async (context) => (await import("./devices.node.js")).devices(context)));
  withState(program.command("forget <device>"))
    .description("forget a device, by its name or its id; its sessions end at once")
    .action((device: string, options) =>
      run(options, async (context) => (await import("./devices.node.js")).forget(context, device)),
    );
  withState(program.command("status"))
    .description("what runs here, with its devices and what it dropped")
    .action((options) => run(options, async (context) => (await import("./devices.node.js")).status(context)));
}

/** In the plan, but not in this version: saying so is better than "unknown command". */
const LATER = ["conflicts", "restore", "service", "bench", "tunnel", "expose"] as const;

function refuse(program: Command, name: string): void {
  program
    .command(`${name} [anything...]`, { hidden: true })
    .allowUnknownOption()
    .action(() => program.error(`error: this version of Handfast does not have "${name}" yet`));
}

function version(): string {
  const require = createRequire(import.meta.url);
  return (require("handfast/package.json") as { readonly version: string }).version;
}
