import { createClient } from "#device/open.node.js";
import type { WayToEnter } from "./clientWay.node.js";
import { type Context, deviceOptions } from "./context.node.js";
import { askRunning } from "./control.node.js";
import { WINDOW_SECONDS } from "./defaults.js";
import { EXIT } from "./exitCodes.js";
import type { Wish } from "./findPc.node.js";
import { insisting } from "./insisting.node.js";
import { openAlone } from "./openAlone.node.js";
import { pairWithPc } from "./pairing.node.js";
import { WAY_TITLES, type WayName, type WayToShow, wayToShow } from "./pairingWay.js";
import { granted } from "./running.node.js";

export interface PairOptions extends Wish, WayToShow, WayToEnter {
  /** Be the PC, for so many seconds. */
  readonly open?: number;
}

/** `handfast pair`: on the PC opens the window, of the running share or alone; on a client pairs and syncs nothing. */
export async function pair(context: Context, options: PairOptions): Promise<number> {
  const { screen, state, signal } = context;
  const { open: seconds = WINDOW_SECONDS, qr = false, link } = options;
  const method = wayToShow(options);
  const beside = async (insist: boolean): Promise<boolean> => {
    const answer = await askRunning(state, { command: "pair", seconds, method, insist });
    if (answer) granted(answer);
    return answer !== undefined;
  };
  if (link === undefined && (await insisting(context, beside))) {
    screen.event({ event: "pairing-open", seconds, method });
    screen.result(
      `The running share is open to pairing for ${seconds} s; the way: ${WAY_TITLES[method]}. ${APPEARS[method]} there.`,
    );
    return EXIT.ok;
  }
  if (qr || options.open !== undefined) return await openAlone(context, seconds, method);
  await using client = await createClient(deviceOptions(context));
  const bond = await pairWithPc(context, client, options);
  // Only the first session makes the bond final; it ends in order.
  const { session } = await client.connect(bond, { signal });
  await session.close();
  return EXIT.ok;
}

const APPEARS: Readonly<Record<WayName, string>> = {
  compare: "The digits appear",
  code: "The letters appear",
  link: "The QR code and the link appear",
};
