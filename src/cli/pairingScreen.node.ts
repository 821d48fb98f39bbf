import type { Server } from "#device/server.js";
import { Emitter } from "#kernel/emitter.js";
import type { HandfastError } from "#kernel/errors.js";
import type { Context } from "./context.node.js";
import { UsageError } from "./exitCodes.js";
import { insisting } from "./insisting.node.js";
import { WAY_TITLES, type WayName } from "./pairingWay.js";
import { askApproval, askDigits } from "./question.node.js";
import { printable } from "./words.js";

interface Pending {
  readonly id: string;
  confirm(): void;
  reject(): void;
}

/** What a person may type. */
interface Commands {
  /** On the other device. */
  readonly enter: string;
  /** Here, when the window has closed: a sentence. */
  readonly reopen: string;
}

/** What the PC's person sees and answers while strangers may pair. */
export class PairingScreen extends Emitter<{ closed: readonly [string]; failed: readonly [HandfastError] }> {
  readonly #context: Context;
  readonly #server: Server;
  readonly #commands: Commands;
  /** The question on the screen, by the id of its attempt. */
  readonly #questions = new Map<string, AbortController>();

  #stopped = false;

  constructor(context: Context, server: Server, commands: Commands) {
    super();
    this.#context = context;
    this.#server = server;
    this.#commands = commands;
    const { screen } = context;
    server.on("pairing", (request) => void this.#ask(request, (signal) => askDigits(context, request, signal)));
    server.on("pairingApproval", (request) => void this.#ask(request, (s) => askApproval(context, request, s)));
    server.on("pairingCode", ({ letters }) => this.#showLetters(letters));
    server.on("pairingLink", ({ link }) => this.#showLink(link));
    server.on("pairingFailed", ({ id, peerName, error }) => {
      this.#questions.get(id)?.abort();
      screen.event({ event: "pairing-failed", id, peer: peerName, code: error.code });
      screen.say(`Not paired with "${printable(peerName)}": ${error.message}`);
      this.emit("failed", error);
    });
    server.on("pairingWindow", ({ open, seconds, reason, method }) => {
      if (open) this.#onOpened(seconds, method === "secret" || method === undefined ? "compare" : method);
      else this.#onClosed(reason);
    });
    server.on("paired", ({ device, bond }) => {
      screen.event({ event: "paired", device, name: bond.name });
      screen.say(`Paired with "${printable(bond.name)}"`);
    });
  }

  /** A person is being asked. */
  get asking(): boolean {
    return this.#questions.size > 0;
  }

  /** The same, and asks this screen's person when ten tries in a row have failed. */
  async openAsking(seconds: number, method: WayName): Promise<void> {
    await insisting(this.#context, async (insist) => this.open(seconds, method, insist));
  }

  /** Throws UsageError when the letters or the link would land in a log, PairingError INSIST_NEEDED. */
  open(seconds: number, method: WayName, insist = false): void {
    if (method !== "compare" && !this.#context.screen.mayShowSecrets)
      throw new UsageError(
        "Letters and links are shown on a terminal or to a program (--json), so that they land in no log; standard error is neither here. Compare digits instead, or start it in a terminal.",
      );
    this.#server.openPairing({ seconds, method, insist });
  }

  close(): void {
    this.#stopped = true;
    for (const question of this.#questions.values()) question.abort();
  }

  #onOpened(seconds: number, method: WayName): void {
    const { screen } = this.#context;
    screen.event({ event: "pairing-open", seconds, method });
    const option = { compare: "", code: " --code", link: " --link -" }[method];
    screen.say(
      `Pairing is open for ${seconds} s; the way: ${WAY_TITLES[method]}. On the other device: ${this.#commands.enter}${option}`,
    );
  }

  #onClosed(reason: string): void {
    const { screen } = this.#context;
    screen.event({ event: "pairing-closed", reason });
    if (reason !== "success" && !this.#stopped)
      screen.say(`Pairing is closed: ${CLOSED[reason] ?? reason}. ${this.#commands.reopen}`);
    this.emit("closed", reason);
  }

  #showLetters(letters: string): void {
    const { screen } = this.#context;
    screen.event({ event: "pairing-code", letters });
    screen.say("Type these letters on the other device; they are good for one try:");
    screen.bigLine(letters.split("").join(" "));
  }

  #showLink(link: string): void {
    const { screen } = this.#context;
    screen.event({ event: "pairing-link", link });
    screen.say("Scan this with the other device, or paste the link there; only the right person should see it:\n");
    screen.qr(link);
    screen.bigLine(link);
  }

  async #ask(request: Pending, question: (signal: AbortSignal) => Promise<boolean>): Promise<void> {
    const over = new AbortController();
    this.#questions.set(request.id, over);
    try {
      if (await question(over.signal)) {
        request.confirm();
        this.#context.screen.say("Waiting for the other screen…");
      } else request.reject();
    } catch {
      // The other side gave up, or we are stopping: nobody has said no.
      if (!this.#stopped) request.reject();
    } finally {
      this.#questions.delete(request.id);
    }
  }
}

const CLOSED: Readonly<Record<string, string>> = {
  time: "its time is over",
  tooManyTries: "too many tries failed",
  linkUsedTwice: "two devices used the same link, so somebody else has seen it",
  slept: "this device has slept, or its clock was set forward",
  networkChanged: "this device is on another network",
};
