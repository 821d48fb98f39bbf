import { createClient } from "#device/open.node.js";
import { type Context, deviceOptions } from "./context.node.js";
import { askRunning } from "./control.node.js";
import { WINDOW_SECONDS } from "./defaults.js";
import { EXIT } from "./exitCodes.js";
import type { Wish } from "./findPc.node.js";
import { pairWithPc } from "./pairing.node.js";
import { granted } from "./running.node.js";

/** `handfast pair`: on the PC opens the window of the running share; on a client pairs and syncs nothing. */
export async function pair(context: Context, wish: Wish): Promise<number> {
  const { screen, state, signal } = context;
  const answer = await askRunning(state, { command: "pair", seconds: WINDOW_SECONDS });
  if (answer) {
    const { seconds } = granted(answer) as { readonly seconds: number };
    screen.event({ event: "pairing-open", seconds });
    screen.result(`The running share is open to pairing for ${seconds} s; the digits appear there.`);
    return EXIT.ok;
  }
  await using client = await createClient(deviceOptions(context));
  const bond = await pairWithPc(context, client, wish);
  // Only the first session makes the bond final; it ends in order.
  const { session } = await client.connect(bond, { signal });
  await session.close();
  return EXIT.ok;
}
