import type { Bond } from "#bonds/bond.js";
import type { Client } from "#device/client.js";
import { HandfastError } from "#kernel/errors.js";
import type { Context } from "./context.node.js";
import { findPcToPair, type Wish, windowClosed } from "./findPc.node.js";
import { askDigits } from "./question.node.js";
import { printable } from "./words.js";

/** Finds the PC, shows the digits, stores the bond. The session that comes of it waits in `client.connect`. */
export async function pairWithPc(context: Context, client: Client, wish: Wish): Promise<Bond> {
  const { screen, signal } = context;
  const { target, open } = await findPcToPair(context, client, wish);
  const over = new AbortController();
  const question = AbortSignal.any([signal, over.signal]);
  try {
    const { bond, device } = await client.pair(target, {
      signal,
      compare: async (request) => {
        const same = await askDigits(context, request, question);
        if (same) screen.say("Waiting for the other screen…");
        return same;
      },
    });
    screen.event({ event: "paired", device, name: bond.name });
    screen.say(`Paired with "${printable(bond.name)}"`);
    return bond;
  } catch (error) {
    signal.throwIfAborted();
    // It was on the network but silent: its window is closed, which is what the person can change.
    if (!open && error instanceof HandfastError && error.code === "PAIRING_NOT_ANSWERED") throw windowClosed();
    throw error;
  } finally {
    over.abort();
  }
}
