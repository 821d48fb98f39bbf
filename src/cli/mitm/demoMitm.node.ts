import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { HandfastError } from "#kernel/errors.js";
import type { Act, Report, Role } from "./report.js";

const ACTOR = fileURLToPath(new URL("./actor.node.js", import.meta.url));
const PATIENCE_MS = 20_000;

/** Where the story is told. */
export interface Output {
  write(text: string): unknown;
}

/** How one act ended. */
export interface ActResult {
  readonly act: Act;
  readonly pc: string;
  /** Undefined: the phone refused before it showed any. */
  readonly phone: string | undefined;
  readonly refused: { readonly code: string; readonly message: string } | undefined;
  /** What the attacker needed to find a nonce, if it searched for one. */
  readonly searchMs: number | undefined;
}

/**
 * Plays three acts, each with three processes on this computer: a PC, a phone, and an attacker between them. Resolves to how they
 * ended; Handfast has held when only the first one deceived the phone. Throws HandfastError DEMO_STUCK.
 */
export async function demoMitm(output: Output): Promise<readonly ActResult[]> {
  const say = (text: string): unknown => output.write(`${text}\n`);
  say("Three programs on this computer: a PC, a phone, and an attacker who has the wire between them.");
  const results: ActResult[] = [];
  for (const [act, title] of TITLES) {
    say(`\n${results.length + 1}. ${title}`);
    const result = await play(act);
    results.push(result);
    for (const line of linesOf(result)) say(`   ${line}`);
  }
  return results;
}

const TITLES: readonly (readonly [Act, string])[] = [
  ["lookAlike", "A look-alike: the same six digits, but nobody commits to a number before hearing the other's."],
  ["honest", "Handfast. The attacker pairs with each side under its own keys and hopes."],
  ["search", "Handfast. The attacker tries what worked in 1: it searches for a number that makes the digits agree."],
];

function linesOf({ pc, phone, refused, searchMs }: ActResult): string[] {
  const lines = [`the PC shows     ${spaced(pc)}`];
  if (searchMs !== undefined) lines.push(`the attacker     found a number that fits in ${searchMs.toFixed(0)} ms`);
  if (phone !== undefined) lines.push(`the phone shows  ${spaced(phone)}`);
  if (refused) lines.push(`the phone says   ${refused.message}`);
  if (phone === pc)
    lines.push("=> The digits agree. Both people say yes, and the attacker reads everything from now on.");
  else if (phone !== undefined) lines.push("=> The digits differ. Both people say no, and nothing is stored.");
  else
    lines.push(
      "=> The phone noticed before it showed any digits: the attacker had committed itself to another number.",
    );
  return lines;
}

function spaced(digits: string): string {
  return `${digits.slice(0, 3)} ${digits.slice(3)}`;
}

async function play(act: Act): Promise<ActResult> {
  const actors: Actor[] = [];
  const enter = (role: Role, port: number): Actor => {
    const actor = new Actor(role, act, port);
    actors.push(actor);
    return actor;
  };
  try {
    const pc = enter("pc", 0);
    const attacker = enter("attacker", (await pc.first("listening")).port);
    await attacker.first("ready");
    const phone = enter("phone", (await attacker.first("listening")).port);
    const end = await Promise.race([phone.first("digits"), phone.first("refused")]);
    const shown = await pc.first("digits");
    const searched = act === "honest" ? undefined : await attacker.first("searched");
    return {
      act,
      pc: shown.digits,
      phone: end.type === "digits" ? end.digits : undefined,
      refused: end.type === "refused" ? end : undefined,
      searchMs: searched?.milliseconds,
    };
  } finally {
    for (const actor of actors) actor.leave();
  }
}

type Of<T extends Report["type"]> = Extract<Report, { type: T }>;

/** One process of the play. */
class Actor {
  readonly #process: ChildProcess;
  readonly #reports: Report[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(role: Role, act: Act, port: number) {
    this.#process = fork(ACTOR, [role, act, String(port)]);
    this.#process.on("message", (report: Report) => {
      this.#reports.push(report);
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** The first report of this kind, past or to come. */
  async first<T extends Report["type"]>(type: T): Promise<Of<T>> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = this.#reports.find((report): report is Of<T> => report.type === type);
      if (found) return found;
      const left = until - Date.now();
      if (left <= 0)
        throw new HandfastError(
          "DEMO_STUCK",
          "The demonstration did not go on: a firewall may block UDP on this computer.",
        );
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  leave(): void {
    this.#process.kill();
  }
}
