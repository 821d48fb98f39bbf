import type { PeerSession } from "#device/channel.js";
import { createServer } from "#device/open.node.js";
import type { PairingRequest } from "#device/pairingEvents.js";
import type { Server } from "#device/server.js";
import { HandfastError } from "#kernel/errors.js";
import type { DiskFolder } from "#sync/folder.node.js";
import { type Context, deviceName, deviceOptions } from "./context.node.js";
import { WINDOW_SECONDS } from "./defaults.js";
import { EXIT } from "./exitCodes.js";
import { FolderSync, openFolder } from "./folderSync.node.js";
import { askDigits } from "./question.node.js";
import { listenForCommands, type Running } from "./running.node.js";
import { refuseStateInside } from "./statePath.node.js";
import { printable } from "./words.js";

const MAX_CLIENTS = 10;
/** After so many failures since the last success, only a deliberate `--pair` opens the window. */
const MAX_FAILURES = 3;

export interface ShareOptions {
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
  /** The question on the screen, by the id of its attempt. */
  readonly #questions = new Map<string, AbortController>();
  readonly #clients = new Map<string, PeerSession>();
  readonly #serving = new Set<Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(context: Context, server: Server) {
    this.#context = context;
    this.#server = server;
    context.signal.addEventListener("abort", () => this.#stopped.abort(context.signal.reason), { once: true });
  }

  async run(disk: DiskFolder, { pair }: ShareOptions): Promise<number> {
    const { screen, state, options } = this.#context;
    const server = this.#server;
    const { device, port, addresses } = server;
    const onBroken = (error: unknown): void => this.#stopped.abort(error);
    const folder = await FolderSync.open({ folder: disk, state, device, screen, onBroken });
    const control = await listenForCommands(state, this.#running(disk.root));
    try {
      this.#listen(folder);
      screen.event({ event: "listening", port, addresses, device, name: deviceName(options) });
      const where = addresses.length > 0 ? ` (${addresses.join(", ")})` : "";
      screen.say(`Sharing ${disk.root} as "${deviceName(options)}" on UDP ${port}${where}`);
      for (const problem of server.networkProblems) screen.say(problem);
      this.#openWindow(pair);
      await this.#untilStopped();
      return EXIT.ok;
    } finally {
      for (const question of this.#questions.values()) question.abort();
      await control?.close();
      await Promise.all([...this.#clients.values()].map(({ session }) => session.close()));
      await Promise.all(this.#serving);
      await folder.close();
    }
  }

  #listen(folder: FolderSync): void {
    const { screen } = this.#context;
    const server = this.#server;
    server.on("pairing", (request) => void this.#ask(request));
    server.on("pairingFailed", ({ id, peerName, error }) => {
      this.#questions.get(id)?.abort();
      screen.event({ event: "pairing-failed", id, peer: peerName, code: error.code });
      screen.say(`Not paired with "${printable(peerName)}": ${error.message}`);
    });
    server.on("pairingWindow", ({ open, seconds, reason }) => {
      if (open) this.#onWindowOpened(seconds);
      else this.#onWindowClosed(reason);
    });
    server.on("paired", ({ device, bond }) => {
      screen.event({ event: "paired", device, name: bond.name });
      screen.say(`Paired with "${printable(bond.name)}"`);
    });
    server.on("session", (peer) => {
      const serving = this.#serve(peer, folder).finally(() => this.#serving.delete(serving));
      this.#serving.add(serving);
    });
    server.on("error", (error) => screen.error(error.code, error.message));
  }

  #running(folder: string): Running {
    const server = this.#server;
    return {
      ...{ role: "share", folder, port: server.port },
      bonds: () => server.bonds().map((bond) => ({ device: server.deviceOf(bond), bond })),
      isOnline: (device) => this.#clients.has(device),
      forget: (bond) => server.forget(bond),
      pair: (seconds) => {
        server.openPairing({ seconds });
      },
      drops: () => server.drops,
    };
  }

  #openWindow(pair: number | undefined): void {
    const server = this.#server;
    const alone = server.bonds().length === 0;
    if (pair === undefined && alone && server.failedPairings >= MAX_FAILURES)
      throw new HandfastError(
        "TOO_MANY_TRIES",
        "Too many tries to pair have failed, so the pairing window stays closed. If those were yours, open it on purpose: handfast share <folder> --pair",
      );
    if (pair === undefined && !alone) return;
    const seconds = pair ?? WINDOW_SECONDS;
    server.openPairing({ seconds });
  }

  #onWindowOpened(seconds: number): void {
    const { screen } = this.#context;
    screen.event({ event: "pairing-open", seconds });
    screen.say(`Pairing is open for ${seconds} s. On the other device: handfast join <folder>`);
  }

  #onWindowClosed(reason: string): void {
    const { screen } = this.#context;
    screen.event({ event: "pairing-closed", reason });
    if (reason === "success" || this.#stopped.signal.aborted) return;
    const why = reason === "time" ? "its time is over" : reason === "tooManyTries" ? "too many tries failed" : reason;
    screen.say(`Pairing is closed: ${why}. Open it again from another terminal: handfast pair`);
  }

  async #ask(request: PairingRequest): Promise<void> {
    const question = new AbortController();
    this.#questions.set(request.id, question);
    try {
      if (await askDigits(this.#context, request, question.signal)) {
        request.confirm();
        this.#context.screen.say("Waiting for the other screen…");
      } else request.reject();
    } catch {
      // The other side gave up, or we are stopping: nobody has said no.
      if (!this.#stopped.signal.aborted) request.reject();
    } finally {
      this.#questions.delete(request.id);
    }
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
      if (!session.closeInfo && !this.#stopped.signal.aborted)
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
