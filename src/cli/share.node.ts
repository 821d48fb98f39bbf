import type { PeerSession } from "#device/channel.js";
import { createServer } from "#device/open.node.js";
import type { Server } from "#device/server.js";
import { HandfastError } from "#kernel/errors.js";
import type { DiskFolder } from "#sync/folder.node.js";
import { isGoodbye, withAdvice } from "./advice.js";
import { type Context, deviceName, deviceOptions } from "./context.node.js";
import { WINDOW_SECONDS } from "./defaults.js";
import { EXIT } from "./exitCodes.js";
import { FolderSync, openFolder } from "./folderSync.node.js";
import { PairingScreen } from "./pairingScreen.node.js";
import { type WayToShow, wayToShow } from "./pairingWay.js";
import { listenForCommands, type Running } from "./running.node.js";
import { refuseStateInside } from "./statePath.node.js";
import { printable } from "./words.js";

const MAX_CLIENTS = 10;
/** After so many failures since the last success, only a deliberate `--pair` opens the window. */
const MAX_FAILURES = 3;

export interface ShareOptions extends WayToShow {
  /** Open the window for so many seconds. */
  readonly pair?: number;
}

/** `handfast share`: runs until the signal aborts. */
export async function share(context: Context, path: string, options: ShareOptions): Promise<number> {
  const folder = await openFolder(path, "both");
  await refuseStateInside(folder.root, context.state);
  await using server = await createServer(deviceOptions(context));
  return await new Share(context, server).run(folder, options);
}

class Share {
  readonly #context: Context;
  readonly #server: Server;
  readonly #pairing: PairingScreen;
  readonly #clients = new Map<string, PeerSession>();
  readonly #serving = new Set<Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(context: Context, server: Server) {
    this.#context = context;
    this.#server = server;
    this.#pairing = new PairingScreen(context, server, {
      enter: "handfast join <folder>",
      reopen: "Open it again from another terminal: handfast pair",
    });
    context.signal.addEventListener("abort", () => this.#stopped.abort(context.signal.reason), { once: true });
  }

  async run(disk: DiskFolder, options: ShareOptions): Promise<number> {
    const { screen, state } = this.#context;
    const name = deviceName(this.#context.options);
    const server = this.#server;
    const { device, port, addresses } = server;
    const onBroken = (error: unknown): void => this.#stopped.abort(error);
    const folder = await FolderSync.open({ folder: disk, state, device, screen, onBroken });
    const control = await listenForCommands(state, this.#running(disk.root));
    try {
      this.#listen(folder);
      screen.event({ event: "listening", port, addresses, device, name });
      const where = addresses.length > 0 ? ` (${addresses.join(", ")})` : "";
      screen.say(`Sharing ${disk.root} as "${name}" on UDP ${port}${where}`);
      for (const problem of server.networkProblems) screen.say(problem);
      await this.#openWindow(options);
      await this.#untilStopped();
      return EXIT.ok;
    } finally {
      this.#pairing.close();
      await control?.close();
      await Promise.all([...this.#clients.values()].map(({ session }) => session.close()));
      await Promise.all(this.#serving);
      await folder.close();
    }
  }

  #listen(folder: FolderSync): void {
    const { screen } = this.#context;
    const server = this.#server;
    server.on("session", (peer) => {
      const serving = this.#serve(peer, folder).finally(() => this.#serving.delete(serving));
      this.#serving.add(serving);
    });
    server.on("error", (error) => screen.error(error.code, withAdvice(error).message));
  }

  #running(folder: string): Running {
    const server = this.#server;
    return {
      ...{ role: "share", folder, port: server.port },
      bonds: () => server.bonds().map((bond) => ({ device: server.deviceOf(bond), bond })),
      isOnline: (device) => this.#clients.has(device),
      forget: (bond) => server.forget(bond),
      pair: (seconds, method, insist) => this.#pairing.open(seconds, method, insist),
      drops: () => server.drops,
      warnings: () => server.warnings,
    };
  }

  async #openWindow({ pair, ...way }: ShareOptions): Promise<void> {
    const server = this.#server;
    const alone = server.bonds().length === 0;
    if (pair === undefined && alone && server.failedPairings >= MAX_FAILURES)
      throw new HandfastError(
        "TOO_MANY_TRIES",
        "Too many tries to pair have failed, so the pairing window stays closed. If those were yours, open it on purpose: handfast share <folder> --pair",
      );
    if (pair === undefined && !alone) return;
    await this.#pairing.openAsking(pair ?? WINDOW_SECONDS, wayToShow(way));
  }

  async #serve(peer: PeerSession, folder: FolderSync): Promise<void> {
    const { screen } = this.#context;
    const { session, device, bond } = peer;
    const { name } = bond;
    const before = this.#clients.get(device);
    this.#clients.set(device, peer);
    // A device that connects anew has lost its old session, even if we have not noticed.
    if (before) await before.session.close();
    if (this.#clients.size > MAX_CLIENTS) {
      this.#clients.delete(device);
      await session.close({ reason: `${MAX_CLIENTS} devices are connected already` });
      return;
    }
    const { host: address, port } = session.path;
    screen.event({ event: "connected", device, name, address, port });
    screen.say(`"${printable(name)}" is online (${address})`);
    session.on("rekeyed", ({ epoch }) => screen.event({ event: "rekeyed", device, epoch }));
    try {
      for await (const stream of session.incomingStreams())
        await folder.run(peer, stream, { mode: "both", signal: this.#stopped.signal });
    } catch (error) {
      if (!session.closeInfo && !this.#stopped.signal.aborted && !isGoodbye(error))
        screen.error(error instanceof HandfastError ? error.code : "INTERNAL", messageOf(error));
    }
    if (!session.closeInfo) void session.close();
    const { reason, error } = await session.closed;
    if (this.#clients.get(device) === peer) this.#clients.delete(device);
    screen.event({ event: "disconnected", device, name, reason: error?.code ?? reason });
    screen.say(`"${printable(name)}" is offline${error ? `: ${error.message}` : ""}`);
  }

  async #untilStopped(): Promise<void> {
    const { signal } = this.#stopped;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    // A person's wish to stop is told by the caller; anything else went wrong here.
    if (!this.#context.signal.aborted) throw signal.reason;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
