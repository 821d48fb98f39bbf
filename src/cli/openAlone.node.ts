import { setTimeout } from "node:timers/promises";
import { createServer } from "#device/open.node.js";
import type { Server } from "#device/server.js";
import { HandfastError } from "#kernel/errors.js";
import { PairingError } from "#pairing/reasons.js";
import { withAdvice } from "./advice.js";
import { type Context, deviceName, deviceOptions } from "./context.node.js";
import { EXIT } from "./exitCodes.js";
import { PairingScreen } from "./pairingScreen.node.js";
import type { WayName } from "./pairingWay.js";

/** How long the new device has for its first session, and then to say goodbye. */
const FIRST_SESSION_MS = 20_000;
const GOODBYE_MS = 2000;

/** The PC's window without a share: ends when one device has paired, or the window closes. */
export async function openAlone(context: Context, seconds: number, method: WayName): Promise<number> {
  const { screen, options } = context;
  await using server = await createServer(deviceOptions(context));
  const name = deviceName(options);
  const { port, addresses, device } = server;
  const pairing = new PairingScreen(context, server, {
    enter: "handfast pair",
    reopen: "Open it again: handfast pair --open",
  });
  screen.event({ event: "listening", port, addresses, device, name });
  const where = addresses.length > 0 ? ` (${addresses.join(", ")})` : "";
  screen.say(`This device is "${name}" on UDP ${port}${where}`);
  try {
    await pairing.openAsking(seconds, method);
    await untilPaired(server, pairing, context);
    return EXIT.ok;
  } finally {
    pairing.close();
  }
}

async function untilPaired(server: Server, pairing: PairingScreen, { screen, signal }: Context): Promise<void> {
  let closed: string | undefined;
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    server.on("error", (error) => screen.error(error.code, withAdvice(error).message));
    server.on("session", ({ first, session }) => {
      // The client ends its first session when it has what it needs of it; who was paired before finds no folder here.
      if (first) void Promise.race([session.closed, setTimeout(GOODBYE_MS)]).then(() => resolve());
      else void session.close({ reason: "this device only pairs at the moment" });
    });
    pairing.on("closed", (reason) => {
      closed = reason;
      if (reason === "success")
        void setTimeout(FIRST_SESSION_MS).then(() => reject(new PairingError("PAIRING_TIMED_OUT")));
      // Who was asked about before the time was over still gets an answer.
      else if (!pairing.asking) reject(closedError(reason));
    });
    pairing.on("failed", (error) => {
      if (closed !== undefined && closed !== "success") reject(error);
    });
  });
}

function closedError(reason: string): HandfastError {
  if (reason === "tooManyTries") return new PairingError("TOO_MANY_TRIES");
  if (reason === "linkUsedTwice") return new PairingError("LINK_USED_TWICE");
  if (reason === "slept" || reason === "networkChanged")
    return new HandfastError(
      "WINDOW_CLOSED",
      "This device has slept, its clock was set forward, or it is on another network; so pairing was closed. Open it again: handfast pair --open, with --code or --qr if that was the way.",
    );
  return new HandfastError(
    "TIMED_OUT",
    "Nobody has paired in time. Open it again: handfast pair --open, with --code or --qr if that was the way.",
  );
}
