import type { Bond } from "#bonds/bond.js";
import type { Client } from "#device/client.js";
import { HandfastError } from "#kernel/errors.js";
import { readLink, type WayToEnter, wayToEnter } from "./clientWay.node.js";
import type { Context } from "./context.node.js";
import { findPcToPair, type PcToPair, type Wish, windowClosed } from "./findPc.node.js";
import { WAY_TITLES } from "./pairingWay.js";
import type { Screen } from "./screen.node.js";
import { printable } from "./words.js";

/** Finds the PC, lets the person pair with it, stores the bond. The session that comes of it waits in `client.connect`. */
export async function pairWithPc(context: Context, client: Client, wish: Wish & WayToEnter): Promise<Bond> {
  const { screen, signal } = context;
  const link = await readLink(context, client, wish);
  const { target, open } = await pcToPair(context, client, wish, link);
  if (link !== undefined)
    screen.say(`Pairing; the way: ${WAY_TITLES.link}. Now the PC asks whether this device may come in…`);
  const over = new AbortController();
  const question = AbortSignal.any([signal, over.signal]);
  try {
    const way = wayToEnter(context, { ...wish, link }, question);
    const { bond, device } = await client.pair(target, {
      signal,
      ...way,
      onDelayed: (seconds) => sayDelay(screen, seconds),
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

function sayDelay(screen: Screen, seconds: number): void {
  screen.event({ event: "pairing-wait", seconds });
  screen.say(`Earlier tries failed, so the PC takes the next one in ${seconds} s. Waiting…`);
}

/** A link says where its PC is, unless the person knows better. */
async function pcToPair(context: Context, client: Client, wish: Wish, link: string | undefined): Promise<PcToPair> {
  const target = link === undefined || wish.peer !== undefined ? undefined : client.fromLink(link);
  if (target && target.addresses.length > 0) return { target, open: true };
  return await findPcToPair(context, client, wish);
}
