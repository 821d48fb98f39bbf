import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import type { Client } from "#device/client.js";
import type { FoundDevice } from "#device/discovered.js";
import { addressText, type Target } from "#device/target.js";
import { HandfastError } from "#kernel/errors.js";
import { canonicalIp, isLinkLocal } from "#kernel/ipAddress.js";
import type { Context } from "./context.node.js";
import { LOOK_SECONDS } from "./defaults.js";
import { UsageError } from "./exitCodes.js";
import { askWhich } from "./question.node.js";
import { printable } from "./words.js";

/** How long to look for others after the first was found. */
const OTHERS_MS = 500;
/** Of a name that the system knows: all of them are tried. */
const MAX_ADDRESSES = 8;

export interface PcToPair {
  readonly target: Target;
  /** Its window was announced as open. */
  readonly open: boolean;
}

/** Which PC is meant. */
export interface Wish {
  /** Its address. */
  readonly peer?: string;
  /** Its name, where there are several. */
  readonly to?: string;
  /** How long to look for it, seconds. */
  readonly wait?: number;
}

/** The PC that wants to be paired with. Throws NOBODY_FOUND with what to try, or UsageError when there are several. */
export async function findPcToPair(context: Context, client: Client, wish: Wish): Promise<PcToPair> {
  const { peer, to, wait = LOOK_SECONDS } = wish;
  if (peer !== undefined) return { target: await targetAt(client, peer, context.signal), open: true };
  const { screen, signal } = context;
  screen.say("Looking for a PC that is open to pairing…");
  const meant = (device: FoundDevice): boolean => to === undefined || device.name === to;
  const found = (
    await look(client, signal, wait * 1000, (devices) => devices.some((each) => each.pairing && meant(each)))
  ).filter(meant);
  const open = found.filter(({ pairing }) => pairing);
  const device =
    open.length > 1 ? await choose(context, open) : (open[0] ?? (found.length === 1 ? found[0] : undefined));
  if (device) {
    tellFound(context, device, null);
    return { target: device, open: device.pairing };
  }
  if (found.length > 0) throw windowClosed();
  throw nobodyFound(
    client,
    "No PC was found. Start `handfast share <folder>` there, and check that both are on the same network (no guest Wi-Fi, no VPN) and that no firewall blocks UDP 5353 and 4760. Or name its address: --peer <host:port>. `handfast doctor` checks this machine.",
  );
}

/** Where nothing could be heard, that comes first. */
export function nobodyFound(client: Pick<Client, "networkProblems">, advice: string): HandfastError {
  return new HandfastError("NOBODY_FOUND", [...client.networkProblems, advice].join(" "));
}

/** What `--peer` names. Throws HandfastError BAD_ADDRESS, or NOT_REACHABLE for a name that nobody knows. */
export async function targetAt(client: Client, peer: string, signal: AbortSignal): Promise<Target> {
  const target = client.at(peer);
  const [named] = target.addresses;
  if (!named || canonicalIp(named.host) !== undefined) return checkedZone(target, peer);
  // The system may take its time over a name; a person who stops does not wait for it.
  const stopped = once(signal, "abort").then(() => undefined);
  const found = await Promise.race([lookup(named.host, { all: true }).catch(() => undefined), stopped]);
  signal.throwIfAborted();
  const all = [...new Set(found?.flatMap(({ address }) => canonicalIp(address) ?? []))];
  // The resolver does not say on which interface a link-local address is: only where there is no other.
  const wide = all.filter((host) => !isLinkLocal(host));
  const hosts = (wide.length > 0 ? wide : all).slice(0, MAX_ADDRESSES);
  const addresses = hosts.flatMap((host) => client.at(addressText({ host, port: named.port })).addresses);
  if (addresses.length > 0) return { ...target, addresses };
  throw new HandfastError(
    "NOT_REACHABLE",
    `No machine with the name or address "${named.host}" is known here. Check how it is written, or leave --peer out: then it is looked for.`,
  );
}

/** A zone that is no interface here would only look like silence. */
function checkedZone(target: Target, peer: string): Target {
  const own = Object.entries(networkInterfaces());
  for (const { host } of target.addresses) {
    const zone = host.split("%")[1];
    if (
      zone === undefined ||
      own.some(([name, each]) => name === zone || each?.some((at) => String(at.scopeid) === zone))
    )
      continue;
    throw new HandfastError("BAD_ADDRESS", `"${peer}" names an interface, ${zone}, that is not on this machine.`);
  }
  return target;
}

/** Asks at a terminal; a script is told what to say. */
async function choose(context: Context, open: readonly FoundDevice[]): Promise<FoundDevice> {
  const lines = open.map((device) => `"${printable(device.name ?? "")}" at ${addressOf(device)}`);
  if (context.answers.fromTerminal && !context.screen.json) {
    const device = open[(await askWhich(context, "Several PCs are open to pairing:", lines)) ?? -1];
    if (device) return device;
  }
  throw new UsageError(
    `Several PCs are open to pairing; choose one by --to <name> or --peer <host:port>: ${lines.join(", ")}`,
  );
}

export function windowClosed(): HandfastError {
  return new HandfastError(
    "WINDOW_CLOSED",
    "A PC is on the network, but it is not open to pairing. Start there: handfast share <folder> --pair",
  );
}

/** Every device that is announced within `ms`; ends sooner, a moment after `enough` says so. */
export async function look(
  client: Client,
  signal: AbortSignal,
  ms: number,
  enough: (found: readonly FoundDevice[]) => boolean = () => false,
): Promise<FoundDevice[]> {
  const found = new Map<string, FoundDevice>();
  const over = new AbortController();
  const end = (): void => over.abort();
  // Not AbortSignal.any with AbortSignal.timeout: Node 20 may collect the timeout before it fires.
  const timers = [setTimeout(end, ms)];
  signal.addEventListener("abort", end, { once: true });
  for await (const device of client.discover({ signal: over.signal })) {
    found.set(device.instance, device);
    if (timers.length === 1 && enough([...found.values()])) timers.push(setTimeout(end, OTHERS_MS));
  }
  for (const timer of timers) clearTimeout(timer);
  signal.removeEventListener("abort", end);
  signal.throwIfAborted();
  return [...found.values()];
}

export function tellFound({ screen }: Context, device: FoundDevice, known: { id: string; name: string } | null): void {
  const [first] = device.addresses;
  if (!first) return;
  const name = device.name ?? known?.name ?? null;
  const { host: address, port } = first;
  screen.event({ event: "found", name, address, port, pairing: device.pairing, device: known?.id ?? null });
  screen.say(`Found ${name === null ? "a PC" : `"${printable(name)}"`} at ${addressOf(device)}`);
}

export function addressOf(device: Target): string {
  const [first] = device.addresses;
  return first ? addressText(first) : "";
}
