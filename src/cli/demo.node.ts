import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { addressText } from "#device/target.js";
import { HandfastError } from "#kernel/errors.js";
import type { Context } from "./context.node.js";
import { fillDemoFolder, sameFiles } from "./demoFolder.node.js";
import { DemoScreen, elapsed } from "./demoScreen.node.js";
import { EXIT } from "./exitCodes.js";
import { HandfastProcess } from "./handfastProcess.node.js";
import { bar, count, grouped, size } from "./words.js";

/** A name of its own, so that several demos on one machine do not meet. */
const PC = `Ana's PC ${process.pid}`;
const LAPTOP = "Ana's laptop";
const REKEY_SECONDS = "1";

/**
 * `handfast demo`: a PC and a laptop as two real processes on this machine, which see each other by multicast on the loopback
 * interface. Every sentence of the summary was checked against their events or the files on disk; anything else throws.
 */
export async function demo(context: Context, source: string | undefined): Promise<number> {
  const base = await mkdtemp(join(tmpdir(), "handfast-demo-"));
  const stage = new Stage(context, base);
  const onAbort = (): void => void stage.killAll();
  context.signal.addEventListener("abort", onAbort, { once: true });
  try {
    await fillDemoFolder(stage.laptopFolder, source);
    await stage.run();
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof HandfastError) || error.code !== "PROCESS_FAILED") throw error;
    throw new HandfastError("DEMO_FAILED", `The demo failed: ${error.message}`, { cause: error });
  } finally {
    await stage.killAll();
    await rm(base, { recursive: true, force: true });
  }
}

class Stage {
  readonly laptopFolder: string;
  readonly #pcFolder: string;
  readonly #context: Context;
  readonly #base: string;
  readonly #screen: DemoScreen;
  readonly #processes: HandfastProcess[] = [];
  constructor(context: Context, base: string) {
    this.#context = context;
    this.#base = base;
    this.#screen = new DemoScreen(context.screen, PC, LAPTOP);
    this.laptopFolder = join(base, "laptop folder");
    this.#pcFolder = join(base, "pc folder");
  }

  async run(): Promise<void> {
    await mkdir(this.#pcFolder);
    this.#screen.begin();
    let pc = await this.#startPc();
    const laptop = await this.#startLaptop();
    await this.#pair(pc, laptop);
    await this.#firstSync(pc, laptop);
    await this.#change(pc);
    await this.#rekey(pc, laptop);
    pc = await this.#cut(pc, laptop);
    await this.#stop(pc, laptop);
    this.#screen.end();
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#processes.map((each) => each.kill("SIGKILL")));
  }

  async #startPc(): Promise<HandfastProcess> {
    const pc = this.#start(PC, ["share", this.#pcFolder, "--state", join(this.#base, "pc state")]);
    const { port } = await pc.next("listening");
    this.#screen.row("$ handfast share <folder>", "");
    this.#screen.row(`Sharing on UDP port ${port}`, "");
    return pc;
  }

  async #startLaptop(): Promise<HandfastProcess> {
    const since = performance.now();
    const laptop = this.#start(LAPTOP, [
      "join",
      this.laptopFolder,
      "--to",
      PC,
      "--state",
      join(this.#base, "laptop state"),
    ]);
    this.#screen.row("", "$ handfast join <folder>");
    const found = await laptop.next("found");
    check(found.name === PC, "the laptop found another device than the PC");
    this.#screen.row("", `Found "${found.name}" at ${addressText({ host: found.address, port: found.port })}`);
    this.#screen.shown("found", `the laptop found the PC by multicast DNS after ${elapsed(since)}`);
    return laptop;
  }

  async #pair(pc: HandfastProcess, laptop: HandfastProcess): Promise<void> {
    const [there, here] = await Promise.all([pc.next("pairing"), laptop.next("pairing")]);
    this.#screen.rule();
    this.#screen.row(`"${there.peer}" wants to pair:`, `Pairing with "${here.peer}":`);
    this.#screen.row("", "");
    this.#screen.row(`          ${grouped(there.digits)}`, `          ${grouped(here.digits)}`);
    this.#screen.row("", "");
    this.#screen.row("Same on the other screen? [y/N]", "Same on the other screen? [y/N]");
    const by = await this.#compare(pc, laptop, there.digits, here.digits);
    const [atPc, atLaptop] = await Promise.all([pc.next("paired"), laptop.next("paired")]);
    this.#screen.row(`Paired with "${atPc.name}"`, `Paired with "${atLaptop.name}"`);
    this.#screen.rule();
    this.#screen.shown("paired", `both screens showed ${grouped(here.digits)}; ${by}`);
  }

  /** A person says yes on each screen; without a terminal the numbers are compared here, which is said. */
  async #compare(pc: HandfastProcess, laptop: HandfastProcess, there: string, here: string): Promise<string> {
    const { screen, answers, signal } = this.#context;
    const person = process.stdin.isTTY === true && !screen.json;
    const say = async (title: string): Promise<boolean> => {
      if (!person) return there === here;
      const yes = await answers.ask(() => screen.openQuestion(`  On the screen of ${title}: same? [y/N] `), signal);
      screen.closeQuestion(true);
      return yes;
    };
    const [atPc, atLaptop] = [await say(PC), await say(LAPTOP)];
    pc.answer(atPc);
    laptop.answer(atLaptop);
    if (!atPc || !atLaptop) {
      if (there === here && person)
        throw new HandfastError(
          "DIGITS_REFUSED",
          "You refused the digits, so the two did not pair. Nothing was stored.",
        );
      check(false, `the two screens showed different digits: ${there} and ${here}`);
    }
    if (person) return "you confirmed them on both";
    this.#screen.row("(no terminal here: the demo itself", "has compared the numbers: equal)");
    return "there is no terminal, so the demo compared them itself and said yes on both";
  }

  async #firstSync(pc: HandfastProcess, laptop: HandfastProcess): Promise<void> {
    pc.onEvent((event) => this.#screen.progress(event));
    const { address } = await laptop.next("connected");
    const { sent, bytes, seconds } = await laptop.next("synced");
    const there = await pc.next("synced");
    pc.onEvent(() => {});
    check(there.received === sent, `the laptop sent ${sent} files, the PC received ${there.received}`);
    check(await sameFiles(this.laptopFolder, this.#pcFolder), "the two folders differ after the sync");
    this.#screen.row(bar(1, 1, 20), `Connected to ${address}`);
    this.#screen.row(
      `${count(there.received, "file")} received, ${size(bytes)}`,
      `${count(sent, "file")} sent in ${seconds.toFixed(1)} s`,
    );
    const rate = size(bytes / Math.max(seconds, 0.001));
    this.#screen.shown(
      "synced",
      `${count(sent, "file")}, ${size(bytes)} in ${seconds.toFixed(1)} s (${rate}/s), every file compared by SHA-256`,
    );
  }

  async #rekey(pc: HandfastProcess, laptop: HandfastProcess): Promise<void> {
    const [there, here] = await Promise.all([pc.next("rekeyed"), laptop.next("rekeyed")]);
    check(there.epoch === here.epoch, `the PC is in epoch ${there.epoch}, the laptop in ${here.epoch}`);
    this.#screen.row(`Fresh keys: epoch ${there.epoch}`, `Fresh keys: epoch ${here.epoch}`);
    this.#screen.shown("rekeyed", `fresh keys on both sides inside the running channel: epoch ${here.epoch}`);
  }

  async #change(pc: HandfastProcess): Promise<void> {
    const since = performance.now();
    await this.#write("a new idea.txt", "Take the boat instead.\n");
    this.#screen.row("", 'You save "a new idea.txt"');
    await this.#arrives(pc, "a new idea.txt", "Take the boat instead.\n");
    this.#screen.row('"a new idea.txt" arrived by itself', "");
    this.#screen.shown("changed", `a file saved on the laptop arrived by itself after ${elapsed(since)}`);
  }

  /** The PC is ended without a word, as when its power fails; the laptop has to notice and find it again. */
  async #cut(pc: HandfastProcess, laptop: HandfastProcess): Promise<HandfastProcess> {
    check((await pc.kill("SIGKILL")) === "SIGKILL", "the PC did not end as it should");
    this.#screen.rule();
    this.#screen.row("(killed, as by a power cut)", "");
    await this.#write("while you were away.txt", "It rains.\n");
    this.#screen.row("", 'You save "while you were away.txt"');
    const since = performance.now();
    const again = await this.#startPc();
    const { port } = await laptop.next("connected");
    this.#screen.row("", `Found it again on port ${port}`);
    await this.#arrives(again, "while you were away.txt", "It rains.\n");
    this.#screen.row('"while you were away.txt" arrived', "");
    check(laptop.count("pairing") === 1 && again.count("pairing") === 0, "somebody was asked again");
    this.#screen.shown(
      "cut",
      `the PC process was killed and started again on another port: back after ${elapsed(since)}, nobody was asked anything`,
    );
    return again;
  }

  async #stop(pc: HandfastProcess, laptop: HandfastProcess): Promise<void> {
    const codes = [await laptop.kill("SIGINT"), await pc.kill("SIGINT")];
    check(
      codes.every((code) => code === EXIT.interrupted),
      `the two did not stop in order: ${codes.join(", ")}`,
    );
    check(await sameFiles(this.laptopFolder, this.#pcFolder), "the two folders differ at the end");
  }

  #start(title: string, args: readonly string[]): HandfastProcess {
    const common = ["--name", title, "--interface", loopback(), "--port", "0", "--rekey", REKEY_SECONDS];
    const { crypto } = this.#context.options;
    const started = new HandfastProcess(title, [...args, ...common, ...(crypto ? ["--crypto", crypto] : [])]);
    this.#processes.push(started);
    return started;
  }

  async #write(name: string, text: string): Promise<void> {
    await writeFile(join(this.laptopFolder, name), text);
  }

  async #arrives(pc: HandfastProcess, name: string, text: string): Promise<void> {
    await pc.next("file", ({ path, direction }) => path === name && direction === "received");
    check((await readFile(join(this.#pcFolder, name), "utf8")) === text, `"${name}" arrived with another content`);
  }
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new HandfastError("DEMO_FAILED", `The demo failed: ${what}.`);
}

function loopback(): string {
  const found = Object.entries(networkInterfaces()).find(([, entries]) =>
    entries?.some(({ internal, family }) => internal && family === "IPv4"),
  );
  if (!found) throw new HandfastError("DEMO_FAILED", "This machine has no loopback interface, which the demo needs.");
  return found[0];
}
