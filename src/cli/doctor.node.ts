import { stat } from "node:fs/promises";
import { platform } from "node:os";
import process from "node:process";
import type { FoundDevice } from "#device/discovered.js";
import { createClient, createServer } from "#device/open.node.js";
import { StoredDevice } from "#device/storedDevice.node.js";
import { temporaryStore } from "#device/temporaryStore.node.js";
import { looksVirtual, usableInterfaces } from "#discovery/interfaces.node.js";
import { HandfastError } from "#kernel/errors.js";
import { type Context, deviceOptions } from "./context.node.js";
import { askRunning } from "./control.node.js";
import { EXIT } from "./exitCodes.js";
import { look } from "./findPc.node.js";
import { count } from "./words.js";

const DEFAULT_PORT = 4760;
const ECHO_MS = 4000;
/** No machine has a right clock that shows a time before this program was written. */
const WRITTEN = Date.UTC(2026, 0, 1);

type Result = "ok" | "warn" | "fail";

/** `handfast doctor`: can this machine see and be seen? Exit 3 when something will not work. */
export async function doctor(context: Context): Promise<number> {
  const { screen, options, state, signal } = context;
  let failed = false;
  const tell = (name: string, result: Result, text: string): void => {
    failed ||= result === "fail";
    screen.event({ event: "check", name, result, text });
    screen.result(`${result.toUpperCase().padEnd(5)} ${name.padEnd(10)} ${text}`);
  };
  tell("node", "ok", `${process.version} on ${platform()}`);
  await checkState(state, tell);
  checkClock(tell);
  const names = checkInterfaces(options.interface, tell);
  for (const name of names) {
    signal.throwIfAborted();
    await checkEcho(context, name, tell);
  }
  await checkPort(context, tell);
  return failed ? EXIT.notFound : EXIT.ok;
}

type Tell = (name: string, result: Result, text: string) => void;

async function checkState(state: string, tell: Tell): Promise<void> {
  if (!(await stat(state).catch(() => undefined)))
    return tell("state", "ok", `${state} will be made when it is needed`);
  try {
    await using stored = await StoredDevice.open(state);
    tell("state", "ok", `${state}: ${stored ? count(stored.bonds().length, "paired device") : "not used yet"}`);
  } catch (error) {
    if (!(error instanceof HandfastError)) throw error;
    tell("state", error.code === "STATE_IN_USE" ? "warn" : "fail", error.message);
  }
}

function checkClock(tell: Tell): void {
  const now = new Date();
  const right = now.getTime() > WRITTEN;
  const text = right ? now.toISOString() : `${now.toISOString()}: set it, or newer files will look older`;
  tell("clock", right ? "ok" : "fail", text);
}

function checkInterfaces(wanted: readonly string[] | undefined, tell: Tell): string[] {
  const found: string[] = [];
  for (const { name, subnets } of usableInterfaces(wanted)) {
    found.push(name);
    const list = subnets.map(({ address, prefix }) => `${address}/${prefix}`).join(", ");
    if (looksVirtual(name))
      tell(
        "interface",
        "warn",
        `${name} ${list}: looks like a tunnel or a container network; leave it out with --interface`,
      );
    else tell("interface", "ok", `${name} ${list}`);
  }
  if (found.length === 0) tell("interface", "fail", "no network; connect to one, or try --interface lo");
  return found;
}

/** Announces a device and looks for it through the network's own multicast. */
async function checkEcho(context: Context, name: string, tell: Tell): Promise<void> {
  const options = { ...deviceOptions(context), port: 0, interfaces: [name] };
  await using server = await createServer({ ...options, store: temporaryStore() });
  await using client = await createClient({ ...options, store: temporaryStore() });
  const isOurs = (device: FoundDevice): boolean =>
    device.addresses.some(({ host, port }) => port === server.port && server.addresses.includes(host));
  const found = await look(client, context.signal, ECHO_MS, (devices) => devices.some(isOurs));
  if (found.some(isOurs)) {
    tell("multicast", "ok", `${name}: our own announcement came back`);
    return;
  }
  tell(
    "multicast",
    "fail",
    `${name}: nothing came back. Does a firewall block UDP 5353? --peer <host:port> works without`,
  );
}

async function checkPort(context: Context, tell: Tell): Promise<void> {
  const { options, state } = context;
  const port = options.port ?? DEFAULT_PORT;
  if (await askRunning(state, { command: "status" })) return tell("port", "ok", "used by the running Handfast");
  try {
    await using server = await createServer({ ...deviceOptions(context), port, store: temporaryStore() });
    tell("port", "ok", `UDP ${server.port} is free. Allow it in the firewall of the PC, with UDP 5353 for finding it`);
  } catch (error) {
    if (!(error instanceof HandfastError)) throw error;
    tell("port", "fail", error.message);
  }
}
