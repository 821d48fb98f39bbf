import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Gate } from "#kernel/gate.js";
import { DiskFolder } from "#sync/folder.node.js";
import { IndexFile } from "#sync/indexStore.node.js";
import type { SyncMode } from "#sync/messages.js";
import { SharedFolder } from "#sync/sharedFolder.js";
import type { SyncEvent } from "#sync/syncEvents.js";
import { SyncSession } from "#sync/syncSession.js";
import { streamPair } from "./streamPair.js";

/** One device's copy of a folder, on a real disk, with its index. */
export class TestFolder {
  readonly root: string;
  readonly device: string;
  readonly events: SyncEvent[] = [];
  readonly indexPath: string;
  readonly #happened = new Gate();

  constructor(name: string, device: string) {
    const base = mkdtempSync(join(tmpdir(), "handfast-sync-"));
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

  /** As after a start of the program: index from disk, folder scanned. */
  async open(): Promise<SharedFolder> {
    const store = new IndexFile(this.indexPath);
    const folder = await DiskFolder.open(this.root, { writable: true });
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

  session(shared: SharedFolder, stream: ReturnType<typeof streamPair>["a"], mode: SyncMode, peer: string): SyncSession {
    const onEvent = (event: SyncEvent): void => {
      this.events.push(event);
      this.#happened.open();
    };
    return new SyncSession({ stream, shared, mode, peer, onEvent, wait: () => new Promise(() => {}) });
  }

  /** Resolves when there are more than `before` events of this type; rejects when `running` does. */
  async more(type: SyncEvent["type"], before: number, running: Promise<unknown>): Promise<void> {
    while (this.count(type) <= before) await Promise.race([running, this.#happened.wait()]);
  }

  count(type: SyncEvent["type"]): number {
    return this.events.filter((event) => event.type === type).length;
  }
}

/** Syncs once from `from` to `to`, as `join --once` does, and returns how many bytes travelled. */
export async function syncOnce(from: TestFolder, to: TestFolder): Promise<number> {
  const pair = streamPair();
  const [source, target] = [await from.open(), await to.open()];
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

export function randomDevice(): string {
  return randomBytes(8).toString("hex");
}
