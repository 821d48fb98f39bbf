import process from "node:process";
import type { Client } from "#device/client.js";
import type { PairingWay } from "#device/runPairing.js";
import type { Context } from "./context.node.js";
import { UsageError } from "./exitCodes.js";
import { askDigits, askLetters } from "./question.node.js";

/** How the person on the client wants to pair, as typed. */
export interface WayToEnter {
  readonly code?: boolean;
  /** The link, or `-`: it comes on standard input. */
  readonly link?: string;
}

/** The link, if the person has chosen that way. Nothing of it is ever printed. Throws UsageError, BAD_LINK. */
export async function readLink(
  { answers, signal, screen }: Context,
  client: Client,
  { code = false, link: option }: WayToEnter,
): Promise<string | undefined> {
  const given = option ?? (code ? undefined : process.env["HANDFAST_LINK"] || undefined);
  if (given === undefined) return undefined;
  const ask = (): void => {
    if (answers.fromTerminal) screen.say("Paste the link that the PC shows:");
  };
  const link = given === "-" ? await answers.askLine(ask, signal) : given;
  if (link === undefined)
    throw new UsageError("No link came on standard input. Show one on the PC: handfast pair --qr");
  client.fromLink(link);
  return link;
}

/** The questions of this way. They end when `signal` aborts. */
export function wayToEnter(
  context: Context,
  { code = false, link }: { readonly code?: boolean; readonly link: string | undefined },
  signal: AbortSignal,
): PairingWay {
  if (link !== undefined) return { link };
  if (code) {
    return {
      enterCode: async (request) => {
        const letters = await askLetters(context, request, signal);
        context.screen.say("Waiting for the other screen…");
        return letters;
      },
    };
  }
  return {
    compare: async (request) => {
      const same = await askDigits(context, request, signal);
      if (same) context.screen.say("Waiting for the other screen…");
      return same;
    },
  };
}
