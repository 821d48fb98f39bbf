import type { ApprovalRequest, PairingPeer, PairingRequest } from "#device/pairingEvents.js";
import { HandfastError } from "#kernel/errors.js";
import type { Context } from "./context.node.js";
import { WAY_TITLES } from "./pairingWay.js";
import { grouped, isYes, printable } from "./words.js";

/**
 * Asks whether both screens show the same digits. False for no and for the end of input.
 * Rejects when `signal` aborts: the question is then no longer open.
 */
export async function askDigits(
  context: Context,
  request: Pick<PairingRequest, "id" | "digits" | "peer">,
  signal: AbortSignal,
): Promise<boolean> {
  const { screen } = context;
  const { id, digits, peer } = request;
  screen.event({ event: "pairing", id, digits, ...shown(peer) });
  const lines = [
    "",
    `Pairing with ${named(peer)}; the way: ${WAY_TITLES.compare}.${warning(peer)} Compare with its screen:`,
    "",
    `      ${screen.bold(grouped(digits))}`,
    "",
    "Do not read it to anyone, do not type it anywhere.",
    "Same on the other screen? [y/N] ",
  ];
  return isYes(await ask(context, lines, signal));
}

/** Asks whether the device that knew what is shown here may come in. Answered like `askDigits`. */
export async function askApproval(
  context: Context,
  { id, method, peer }: Pick<ApprovalRequest, "id" | "method" | "peer">,
  signal: AbortSignal,
): Promise<boolean> {
  context.screen.event({ event: "pairing-approval", id, method, ...shown(peer) });
  const did = method === "code" ? "typed the letters that this screen shows" : "used the link that this screen shows";
  const lines = [
    "",
    `Pairing with ${named(peer)}; the way: ${WAY_TITLES[method]}. It has ${did}.${warning(peer)}`,
    "Is that the device in front of you? Let it in? [y/N] ",
  ];
  return isYes(await ask(context, lines, signal));
}

/** Asks for the five letters on the other screen. Throws PAIRING_CANCELLED at the end of input, else rejects as `askDigits` does. */
export async function askLetters(
  context: Context,
  { id, peer, again }: { readonly id: string; readonly peer: PairingPeer; readonly again: boolean },
  signal: AbortSignal,
): Promise<string> {
  context.screen.event({ event: "code-wanted", id, ...shown(peer), again });
  const lines = again
    ? ["These cannot be the letters. They are five, all consonants. Once more: "]
    : [
        "",
        `Pairing with ${named(peer)}; the way: ${WAY_TITLES.code}.${warning(peer)}`,
        "The five letters on its screen: ",
      ];
  const line = await ask(context, lines, signal);
  if (line === undefined) throw new HandfastError("PAIRING_CANCELLED", "No letters came, so pairing was cancelled.");
  return line;
}

/** Asks whether to show letters although ten tries in a row have failed. Only the whole word is a yes. */
export async function askInsist(context: Context): Promise<boolean> {
  context.screen.event({ event: "insist-wanted" });
  const lines = [
    "",
    "Ten tries in a row failed. If those were not yours, somebody may be guessing the letters.",
    "Type yes to show letters all the same: ",
  ];
  return (await ask(context, lines, context.signal))?.trim().toLowerCase() === "yes";
}

/** Asks for one of several by its number, from 1; undefined for anything else. Only where there is a terminal. */
export async function askWhich(
  context: Context,
  question: string,
  choices: readonly string[],
): Promise<number | undefined> {
  const lines = [question, ...choices.map((choice, i) => `  ${i + 1}  ${choice}`), `Which? [1-${choices.length}] `];
  const number = Number(await ask(context, lines, context.signal));
  return Number.isInteger(number) && number >= 1 && number <= choices.length ? number - 1 : undefined;
}

async function ask(
  { screen, answers }: Context,
  lines: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  let typed = false;
  try {
    const line = await answers.askLine(() => screen.openQuestion(lines.join("\n")), signal);
    typed = answers.fromTerminal;
    return line;
  } finally {
    screen.closeQuestion(typed);
  }
}

function shown({ name, platform, resembles }: PairingPeer): {
  readonly peer: string;
  readonly platform: string;
  readonly resembles: string | null;
} {
  return { peer: name, platform, resembles: resembles ?? null };
}

function named({ name, platform }: PairingPeer): string {
  return `"${printable(name)}" (${printable(platform)})`;
}

function warning({ resembles }: PairingPeer): string {
  return resembles === undefined
    ? ""
    : ` Careful: its name looks like that of "${printable(resembles)}", which is paired already; that proves nothing.`;
}
