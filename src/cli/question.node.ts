import type { PairingRequest } from "#device/pairingEvents.js";
import type { Context } from "./context.node.js";
import { grouped, printable } from "./words.js";

/**
 * Asks whether both screens show the same digits. False for no and for the end of input.
 * Rejects when `signal` aborts: the question is then no longer open.
 */
export async function askDigits(
  { screen, answers }: Context,
  request: Pick<PairingRequest, "id" | "digits" | "peer">,
  signal: AbortSignal,
): Promise<boolean> {
  const { id, digits, peer } = request;
  const { name, platform } = peer;
  screen.event({ event: "pairing", id, digits, peer: name, platform });
  const text = [
    "",
    `Pairing with "${printable(name)}" (${printable(platform)}) by numeric comparison. Compare with its screen:`,
    "",
    `      ${screen.bold(grouped(digits))}`,
    "",
    "Do not read it to anyone, do not type it anywhere.",
    "Same on the other screen? [y/N] ",
  ].join("\n");
  let typed = false;
  try {
    const same = await answers.ask(() => screen.openQuestion(text), signal);
    typed = process.stdin.isTTY === true;
    return same;
  } finally {
    screen.closeQuestion(typed);
  }
}
