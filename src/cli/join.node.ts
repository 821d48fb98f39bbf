import type { Bond } from "#bonds/bond.js";
import type { PeerSession } from "#device/channel.js";
import type { Client } from "#device/client.js";
import { createClient } from "#device/open.node.js";
import { HandfastError } from "#kernel/errors.js";
import type { Address } from "#kernel/ports.js";
import type { SyncMode } from "#sync/messages.js";
import { withAdvice } from "./advice.js";
import type { WayToEnter } from "./clientWay.node.js";
import { type Context, deviceOptions } from "./context.node.js";
import { EXIT } from "./exitCodes.js";
import { targetAt, type Wish } from "./findPc.node.js";
import { FolderSync, openFolder } from "./folderSync.node.js";
import { pairWithPc } from "./pairing.node.js";
import { listenForCommands, type Running } from "./running.node.js";
import { refuseStateInside } from "./statePath.node.js";
import { printable } from "./words.js";

export interface JoinOptions extends Wish, WayToEnter {
  readonly once?: boolean;
  readonly mode: SyncMode;
}

/** `handfast join`: pairs the first time, then keeps the folder in step until the signal aborts, or once. */
export async function join(context: Context, path: string, options: JoinOptions): Promise<number> {
  const disk = await openFolder(path, options.mode);
  await refuseStateInside(disk.root, context.state);
  await using client = await createClient(deviceOptions(context));
  const broken = new AbortController();
  const stop = AbortSignal.any([context.signal, broken.signal]);
  const folder = await FolderSync.open({
    ...{ folder: disk, state: context.state, device: client.device, screen: context.screen },
    onBroken: (error) => broken.abort(error),
  });
  try {
    const joining = new Joining({ ...context, signal: stop }, client, folder, options);
    const control = await listenForCommands(context.state, joining.running());
    try {
      return await joining.run();
    } finally {
      await control?.close();
    }
  } catch (error) {
    broken.signal.throwIfAborted();
    throw withAdvice(error);
  } finally {
    await folder.close();
  }
}

class Joining {
  readonly #context: Context;
  readonly #client: Client;
  readonly #folder: FolderSync;
  readonly #options: JoinOptions;
  #done = false;
  #online: string | undefined;

  constructor(context: Context, client: Client, folder: FolderSync, options: JoinOptions) {
    this.#context = context;
    this.#client = client;
    this.#folder = folder;
    this.#options = options;
  }

  async run(): Promise<number> {
    const { screen, signal } = this.#context;
    const client = this.#client;
    const first = await this.#firstSession();
    const onWaiting = ({ error, ms }: { error: HandfastError; ms: number }): void => {
      const { device, bond } = first;
      screen.event({ event: "waiting", device, name: bond.name, seconds: Math.round(ms / 100) / 10 });
      screen.say(`"${printable(bond.name)}" does not answer (${error.code}); trying again by itself`);
    };
    for await (const peer of client.stayConnected(first.bond, { first, signal, onWaiting })) {
      try {
        await this.#sync(peer);
        if (this.#done) break;
      } finally {
        await peer.session.close();
        this.#onClosed(peer);
      }
    }
    signal.throwIfAborted();
    return this.#folder.conflicts > 0 ? EXIT.conflicts : EXIT.ok;
  }

  running(): Running {
    const client = this.#client;
    return {
      ...{ role: "join", folder: this.#folder.root },
      bonds: () => client.storedBonds().map((bond) => ({ device: client.deviceOf(bond), bond })),
      isOnline: (device) => device === this.#online,
      forget: (bond) => client.forget(bond),
      drops: () => client.drops,
      warnings: () => client.warnings,
    };
  }

  /** The bonds that there are, or a new one. */
  async #firstSession(): Promise<PeerSession> {
    const { screen, signal } = this.#context;
    const client = this.#client;
    const { peer, once = false, to, wait } = this.#options;
    const all = await client.bonds();
    const bonds = to === undefined ? all : all.filter(({ name }) => name === to);
    if (bonds.length === 0) {
      const bond = await pairWithPc(this.#context, client, this.#options);
      return await client.connect(bond, { signal });
    }
    const at = peer === undefined ? {} : { at: (await targetAt(client, peer, signal)).addresses };
    const limit = once && wait !== undefined ? { timeoutMs: wait * 1000 } : {};
    for (let told = false; ; told = true) {
      try {
        return await anyOf(client, bonds, { signal, ...at, ...limit });
      } catch (error) {
        signal.throwIfAborted();
        if (once || !(error instanceof HandfastError) || error.code !== "NOT_REACHABLE") throw error;
        if (!told) screen.say(`${error.message}\nTrying on; stop with Ctrl-C.`);
      }
    }
  }

  async #sync(peer: PeerSession): Promise<void> {
    const { screen, signal } = this.#context;
    const { session, device, bond } = peer;
    const { once = false, mode } = this.#options;
    const { host: address, port } = session.path;
    this.#online = device;
    screen.event({ event: "connected", device, name: bond.name, address, port });
    screen.say(`Connected to "${printable(bond.name)}" (${address})`);
    session.on("rekeyed", ({ epoch }) => screen.event({ event: "rekeyed", device, epoch }));
    try {
      const stream = await session.openStream();
      await this.#folder.run(peer, stream, { mode, signal, once });
      this.#done = once && !signal.aborted;
    } catch (error) {
      signal.throwIfAborted();
      // What ended with the session is mended by the next one; so is a sync that went wrong, unless it would go wrong again.
      if (session.closeInfo) return;
      if (once || !(error instanceof HandfastError) || isLasting(error)) throw error;
      screen.error(error.code, withAdvice(error).message);
    }
  }

  #onClosed({ session, device, bond }: PeerSession): void {
    const { screen } = this.#context;
    this.#online = undefined;
    const { error, reason = "" } = session.closeInfo ?? {};
    screen.event({ event: "disconnected", device, name: bond.name, reason: error?.code ?? reason });
    if (!this.#done && !this.#context.signal.aborted)
      screen.say(`Disconnected from "${printable(bond.name)}"${because(error?.message ?? reason)}; reconnecting`);
  }
}

function isLasting(error: HandfastError): boolean {
  return error.code.startsWith("FOLDER_") || error.code === "MODES_DO_NOT_FIT";
}

function because(text: string): string {
  return text === "" ? "" : ` (${text})`;
}

/** A session with whichever of the known PCs answers first. */
async function anyOf(client: Client, bonds: readonly Bond[], options: ConnectOptions): Promise<PeerSession> {
  const enough = new AbortController();
  const signal = AbortSignal.any([options.signal, enough.signal]);
  const tries = bonds.map((bond) => client.connect(bond, { ...options, signal }));
  try {
    const first = await Promise.any(tries);
    for (const each of tries)
      void each.then((peer) => (peer === first ? undefined : peer.session.close())).catch(() => {});
    return first;
  } catch (error) {
    const errors = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [error];
    throw errors.find((each) => each instanceof HandfastError && each.code !== "NOT_REACHABLE") ?? errors[0];
  } finally {
    enough.abort();
  }
}

interface ConnectOptions {
  readonly signal: AbortSignal;
  readonly at?: readonly Address[];
  readonly timeoutMs?: number;
}
