import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { Gate } from "#kernel/gate.js";
import type { Folder } from "#sync/folder.js";
import { DiskFolder } from "#sync/folder.node.js";
import { IndexFile } from "#sync/indexStore.node.js";
import type { SyncMode } from "#sync/messages.js";
import { SharedFolder } from "#sync/sharedFolder.js";
import type { SyncEvent } from "#sync/syncEvents.js";
import { SyncSession } from "#sync/syncSession.js";
import { streamPair } from "./streamPair.js";

// Each test folder cleans up after itself at the end of the process.
process.setMaxListeners(0);

/** One device's copy of a folder, on a real disk, with its index. */
export class TestFolder {
  readonly root: string;
  readonly device: string;
  readonly events: SyncEvent[] = [];
  readonly indexPath: string;
  readonly #happened = new Gate();

  constructor(name: string, device: string) {
    const base = mkdtempSync(join(tmpdir(), "handfast-sync-"));
    process.once("exit", () => rmSync(base, { recursive: true, force: true }));
    this.root = join(base, name);
    this.indexPath = join(base, "index");
    mkdirSync(this.root);
    this.device = device;
  }

  write(path: string, content: string | Uint8Array): void {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), "utf8");
  }

  /** Every file, ours left out. */
  files(): string[] {
    return (readdirSync(this.root, { recursive: true }) as string[])
      .filter((path) => !path.startsWith(".handfast") && statSync(join(this.root, path)).isFile())
      .sort();
  }

  trash(): string[] {
    return (readdirSync(this.root, { recursive: true }) as string[])
      .filter((path) => path.startsWith(".handfast/trash") && statSync(join(this.root, path)).isFile())
      .sort();
  }

  /** What is being received, or was left behind. */
  temporary(): string[] {
    const folder = join(this.root, ".handfast/tmp");
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  /** As after a start of the program: index from disk, folder scanned. `alter` replaces methods of the folder by failing ones. */
  async open(alter: (disk: DiskFolder) => Partial<Folder> = () => ({})): Promise<SharedFolder> {
    const store = new IndexFile(this.indexPath);
    const disk = await DiskFolder.open(this.root, { writable: true });
    const folder = { ...plain(disk), ...alter(disk) };
    const shared = new SharedFolder({
      folder,
      index: await store.load(),
      store,
      device: this.device,
      wall: () => Date.now(),
    });
    for (const skipped of await shared.rescan()) this.events.push({ type: "skipped", ...skipped });
    return shared;
  }

  /** How the sessions wait; never ends unless a test says so. */
  wait: () => Promise<void> = () => new Promise(() => {});

  session(shared: SharedFolder, stream: ReturnType<typeof streamPair>["a"], mode: SyncMode, peer: string): SyncSession {
    const onEvent = (event: SyncEvent): void => {
      this.events.push(event);
      this.#happened.open();
    };
    return new SyncSession({ stream, shared, mode, peer, onEvent, wait: () => this.wait() });
  }

  /** Resolves when there are more than `before` events of this type; rejects when `running` does. */
  async more(
    type: SyncEvent["type"],
    before: number,
    running: Promise<unknown> = new Promise(() => {}),
  ): Promise<void> {
    while (this.count(type) <= before) await Promise.race([running, this.#happened.wait()]);
  }

  count(type: SyncEvent["type"]): number {
    return this.events.filter((event) => event.type === type).length;
  }
}

/** Syncs once from `from` to `to`, as `join --once` does, and returns how many bytes travelled. */
export async function syncOnce(
  from: TestFolder,
  to: TestFolder,
  alter: { readonly from?: Parameters<TestFolder["open"]>[0]; readonly to?: Parameters<TestFolder["open"]>[0] } = {},
): Promise<number> {
  const pair = streamPair();
  const [source, target] = [await from.open(alter.from), await to.open(alter.to)];
  const sender = from.session(source, pair.a, "send", to.device);
  const receiver = to.session(target, pair.b, "receive", from.device);
  const before = from.count("synced");
  const running = [sender.run(), receiver.run()];
  const failed = Promise.all(running);
  await from.more("synced", before, failed);
  await sender.end();
  await receiver.end();
  await failed;
  return pair.bytes();
}

/** Syncs both ways until neither has news for the other, or the connection is cut after so many bytes. */
export async function syncBoth(a: TestFolder, b: TestFolder, cutAfter?: number): Promise<void> {
  const pair = streamPair();
  if (cutAfter !== undefined) pair.cutAfter(cutAfter);
  const [left, right] = [await a.open(), await b.open()];
  const sessions = [a.session(left, pair.a, "both", b.device), b.session(right, pair.b, "both", a.device)];
  let over = false;
  const running = Promise.allSettled(sessions.map((session) => session.run())).then((ends) => {
    over = true;
    return ends;
  });
  while (!over && !sessions.every((session) => session.settled)) await new Promise((resolve) => setImmediate(resolve));
  if (!over) await Promise.all(sessions.map((session) => session.end()));
  for (const end of await running) if (end.status === "rejected" && cutAfter === undefined) throw end.reason;
}

function plain(disk: DiskFolder): Folder {
  return {
    ignoresCase: disk.ignoresCase,
    scan: (onSkipped) => disk.scan(onSkipped),
    stat: (path) => disk.stat(path),
    hash: (path) => disk.hash(path),
    open: (path) => disk.open(path),
    receive: (path, size) => disk.receive(path, size),
    trash: (path) => disk.trash(path),
    isOurs: () => disk.isOurs(),
    claim: () => disk.claim(),
    rename: (from, to) => disk.rename(from, to),
  };
}

export function randomDevice(): string {
  return randomBytes(8).toString("hex");
}
