import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Drops, Warnings } from "#device/deviceStats.js";
import { StoredDevice } from "#device/storedDevice.node.js";
import type { Context } from "./context.node.js";
import { askRunning } from "./control.node.js";
import { chooseDevice, type DeviceLine, deviceLine, deviceText } from "./deviceList.js";
import { EXIT } from "./exitCodes.js";
import { granted, type RunningStatus } from "./running.node.js";
import { count, printable } from "./words.js";

/** `handfast devices`: whom this device has paired with. */
export async function devices(context: Context): Promise<number> {
  const { screen } = context;
  const { lines } = await look(context);
  for (const line of lines) {
    screen.event({ event: "device", ...line });
    screen.result(deviceText(line, Date.now()));
  }
  if (lines.length === 0) screen.say("No device is paired with this one.");
  return EXIT.ok;
}

/** `handfast forget`: the bond goes, live sessions end at once. */
export async function forget(context: Context, wish: string): Promise<number> {
  const { screen, state } = context;
  const answer = await askRunning(state, { command: "forget", device: wish });
  const gone = answer ? (granted(answer) as { device: string; name: string }) : await forgetStored(state, wish);
  screen.event({ event: "forgotten", device: gone.device, name: gone.name });
  screen.result(`Forgot "${printable(gone.name)}". It can do nothing here any more; forget this device there too.`);
  return EXIT.ok;
}

/** `handfast status`: the running share or join, or what is stored. */
export async function status(context: Context): Promise<number> {
  const { screen, state } = context;
  const { lines, running, failedPairings } = await look(context);
  const folders = await readdir(join(state, "folders")).catch(() => []);
  screen.event({ event: "status", state, running, devices: lines, failedPairings });
  screen.result(`State:    ${state}`);
  if (running) {
    const where = running.port === null ? "" : ` on UDP ${running.port}`;
    screen.result(`Running:  ${running.role} of ${running.folder}${where} (process ${running.pid})`);
    screen.result(`Dropped:  ${dropText(running.drops)}`);
    screen.result(`Warnings: ${warningText(running.warnings)}`);
  } else screen.result(`Running:  nothing; ${count(folders.length, "folder")} known`);
  screen.result(`Devices:  ${lines.length === 0 ? "none" : ""}`);
  for (const line of lines) screen.result(`  ${deviceText(line, Date.now())}`);
  return EXIT.ok;
}

export function warningText({ identityChanged, bondCopied }: Warnings): string {
  const said = [
    identityChanged > 0 && `another device stood in the place of a known one (${count(identityChanged, "time")})`,
    bondCopied > 0 && `a pairing was used by somebody who holds a copy of it (${count(bondCopied, "time")})`,
  ].filter((text) => text !== false);
  return said.length === 0 ? "none" : said.join("; ");
}

/** Only the counters that count something. */
function dropText(drops: Drops): string {
  const lines = Object.entries(drops).flatMap(([plane, counters]) =>
    Object.entries(counters)
      .filter(([, number]) => number > 0)
      .map(([reason, number]) => `${plane} ${reason} ${number}`),
  );
  return lines.length === 0 ? "nothing" : lines.join(", ");
}

interface Look {
  readonly lines: readonly DeviceLine[];
  readonly running: RunningStatus | null;
  readonly failedPairings: number | null;
}

async function look({ state }: Context): Promise<Look> {
  const answer = await askRunning(state, { command: "status" });
  if (answer) {
    const running = granted(answer) as RunningStatus;
    return { lines: running.devices, running, failedPairings: null };
  }
  await using stored = await StoredDevice.open(state);
  if (!stored) return { lines: [], running: null, failedPairings: 0 };
  const lines = stored.bonds().map(({ device, bond }) => deviceLine(device, bond, false));
  return { lines, running: null, failedPairings: stored.failedPairings };
}

async function forgetStored(state: string, wish: string): Promise<DeviceLine> {
  await using stored = await StoredDevice.open(state);
  const bonds = stored?.bonds() ?? [];
  const chosen = chooseDevice(
    bonds.map(({ device, bond }) => deviceLine(device, bond, false)),
    wish,
  );
  for (const { device, bond } of bonds) if (device === chosen.device) await stored?.forget(bond);
  return chosen;
}
