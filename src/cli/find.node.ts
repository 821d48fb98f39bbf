import type { Client } from "#device/client.js";
import { createClient } from "#device/open.node.js";
import { temporaryStore } from "#device/temporaryStore.node.js";
import { HandfastError } from "#kernel/errors.js";
import { type Context, deviceOptions } from "./context.node.js";
import { EXIT } from "./exitCodes.js";
import { addressOf, look, nobodyFound } from "./findPc.node.js";
import { printable } from "./words.js";

/** `handfast find`: every Handfast device on the network. Exit 3 when there is none. */
export async function find(context: Context, { seconds }: { readonly seconds: number }): Promise<number> {
  const { screen, signal } = context;
  await using client = await openToLook(context);
  screen.say(`Looking for ${seconds} s…`);
  const found = await look(client, signal, seconds * 1000);
  for (const device of found) {
    const bond = client.recognise(device);
    const [first] = device.addresses;
    if (!first) continue;
    const name = device.name ?? bond?.name ?? null;
    const { host: address, port } = first;
    const known = bond ? client.deviceOf(bond) : null;
    screen.event({ event: "found", name, address, port, pairing: device.pairing, device: known });
    const state = [device.pairing ? "open to pairing" : "", bond ? "paired" : ""].filter(Boolean).join(", ");
    screen.result(`${addressOf(device)}  ${name === null ? "(name hidden)" : printable(name)}  ${state}`.trimEnd());
  }
  if (found.length > 0) return EXIT.ok;
  throw nobodyFound(
    client,
    "Nobody was found. Is `handfast share` running there, on the same network? `handfast doctor` checks this machine.",
  );
}

/** While another command holds the state, looking works as well; only who is who is not known then. */
async function openToLook(context: Context): Promise<Client> {
  const options = deviceOptions(context);
  try {
    return await createClient(options);
  } catch (error) {
    if (!(error instanceof HandfastError) || error.code !== "STATE_IN_USE") throw error;
    return await createClient({ ...options, store: temporaryStore() });
  }
}
