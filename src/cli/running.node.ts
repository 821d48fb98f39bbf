import process from "node:process";
import type { Bond } from "#bonds/bond.js";
import type { Drops, Warnings } from "#device/deviceStats.js";
import { HandfastError } from "#kernel/errors.js";
import { Control, type ControlAnswer, type ControlRequest } from "./control.node.js";
import { chooseDevice, type DeviceLine, deviceLine } from "./deviceList.js";
import { isWayName, type WayName } from "./pairingWay.js";

/** What other commands may see of a running `share` or `join`, and make it do. */
export interface Running {
  readonly role: "share" | "join";
  readonly folder: string;
  readonly port?: number;
  bonds(): readonly { readonly device: string; readonly bond: Bond }[];
  isOnline(device: string): boolean;
  forget(bond: Bond): Promise<boolean>;
  /** Opens the pairing window; only a `share` has one. */
  pair?(seconds: number, method: WayName, insist: boolean): void;
  drops(): Drops;
  warnings(): Warnings;
}

/** The answer to `status`. */
export interface RunningStatus {
  readonly pid: number;
  readonly role: "share" | "join";
  readonly folder: string;
  readonly port: number | null;
  readonly devices: readonly DeviceLine[];
  readonly drops: Drops;
  readonly warnings: Warnings;
}

export async function listenForCommands(state: string, running: Running): Promise<Control | undefined> {
  return await Control.listen(state, async (request) => {
    try {
      return { ok: true, value: await obey(running, request) };
    } catch (error) {
      if (!(error instanceof HandfastError)) throw error;
      return { ok: false, code: error.code, message: error.message };
    }
  });
}

async function obey(running: Running, request: ControlRequest): Promise<unknown> {
  switch (request.command) {
    case "status":
      return statusOf(running);
    case "forget": {
      const { device, name } = chooseDevice(linesOf(running), request.device);
      for (const each of running.bonds()) if (each.device === device) await running.forget(each.bond);
      return { device, name };
    }
    case "pair": {
      const { seconds, method = "compare", insist = false } = request;
      if (!isWayName(method)) throw new HandfastError("USAGE", "The running Handfast does not know this way to pair.");
      if (!running.pair)
        throw new HandfastError("STATE_IN_USE", `A join (process ${process.pid}) is using this state. Stop it first.`);
      running.pair(seconds, method, insist === true);
      return { seconds, method };
    }
    default:
      throw new HandfastError("USAGE", "The running Handfast is another version and does not know this command.");
  }
}

function statusOf(running: Running): RunningStatus {
  const { role, folder, port = null } = running;
  const counted = { drops: running.drops(), warnings: running.warnings() };
  return { pid: process.pid, role, folder, port, devices: linesOf(running), ...counted };
}

function linesOf(running: Running): DeviceLine[] {
  return running.bonds().map(({ device, bond }) => deviceLine(device, bond, running.isOnline(device)));
}

/** Throws what the running process refused. */
export function granted(answer: ControlAnswer): unknown {
  if (answer.ok) return answer.value;
  throw new HandfastError(answer.code, answer.message);
}
