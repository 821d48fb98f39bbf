import assert from "node:assert/strict";
import { appendFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { Gate } from "#kernel/gate.js";
import { watchFolder } from "#sync/watch.node.js";
import { randomDevice, TestFolder } from "../support/folders.js";
import { streamPair } from "../support/streamPair.js";

const QUICK = { settleMs: 30, rescanMs: 3_600_000 };

test("a new file, a change, a rename and a deletion arrive by themselves", async (t) => {
  const [from, to] = [new TestFolder("laptop", randomDevice()), new TestFolder("pc", randomDevice())];
  from.write("first", "1");
  const pair = streamPair();
  const [source, target] = [await from.open(), await to.open()];
  const sender = from.session(source, pair.a, "send", to.device);
  const receiver = to.session(target, pair.b, "receive", from.device);
  const running = Promise.all([sender.run(), receiver.run()]);
  const failed = new Promise<never>((_, reject) => {
    running.catch(reject);
  });
  const watcher = watchFolder(from.root, (paths) => void source.rescan(paths), QUICK);
  t.after(() => watcher.close());
  await watcher.ready;
  const arrives = async (isThere: () => boolean): Promise<void> => {
    while (!isThere()) await to.more("synced", to.count("synced"), failed);
  };
  await arrives(() => to.files().join() === "first");
  from.write("deep/new", "2");
  await arrives(() => to.files().join() === "deep/new,first");
  from.write("first", "changed");
  await arrives(() => to.read("first") === "changed");
  renameSync(join(from.root, "deep"), join(from.root, "renamed"));
  await arrives(() => to.files().join() === "first,renamed/new");
  rmSync(join(from.root, "first"));
  await arrives(() => to.files().join() === "renamed/new");
  await Promise.all([sender.end(), receiver.end()]);
  await running;
});

test("a file that still grows is told of when it rests, and another one meanwhile", async (t) => {
  const from = new TestFolder("laptop", randomDevice());
  const told: string[] = [];
  await new Promise<void>((resolve) => {
    let growing: NodeJS.Timeout;
    const watcher = watchFolder(
      from.root,
      (paths = []) => {
        told.push(...paths);
        if (told.includes("quiet")) clearInterval(growing);
        if (told.includes("log")) resolve();
      },
      { settleMs: 300, rescanMs: 3_600_000 },
    );
    t.after(() => watcher.close());
    void watcher.ready.then(() => {
      from.write("log", "");
      from.write("quiet", "1");
      growing = setInterval(() => appendFileSync(join(from.root, "log"), "."), 20);
    });
  });
  assert.deepEqual(told, ["quiet", "log"]);
});

test("what a watcher misses is found by the regular look at everything, and our own folder is not watched", async (t) => {
  const from = new TestFolder("laptop", randomDevice());
  const shared = await from.open();
  await new Promise<void>((resolve) => {
    const watcher = watchFolder(
      from.root,
      (paths) => {
        assert.notEqual(paths?.[0], ".handfast/tmp/x");
        if (!paths) resolve();
      },
      { settleMs: 1, rescanMs: 200 },
    );
    t.after(() => watcher.close());
    void watcher.ready.then(() => from.write(".handfast/tmp/x", "ours"));
  });
  assert.deepEqual(await shared.rescan(), []);
  assert.equal(shared.index.size, 0);
});

test("a folder that is moved here or away takes its files along, and only folders are watched", async (t) => {
  const [from, elsewhere] = [new TestFolder("laptop", randomDevice()), new TestFolder("elsewhere", randomDevice())];
  for (let i = 0; i < 100; i++) from.write(`old/${i}`, "old");
  elsewhere.write("new/a", "1");
  elsewhere.write("new/deeper/b", "2");
  const shared = await from.open();
  const present = (): string[] =>
    [...shared.index.entries()].filter(([, { record }]) => !record.deleted).map(([path]) => path);
  const looked = new Gate();
  const look = (paths?: readonly string[]): void => void shared.rescan(paths).then(() => looked.open());
  const before = watches();
  const watcher = watchFolder(from.root, look, QUICK);
  t.after(() => watcher.close());
  await watcher.ready;
  assert.equal(watches() - before, 2, "the root and one folder");
  renameSync(join(elsewhere.root, "new"), join(from.root, "new"));
  while (present().length < 102) await looked.wait();
  assert.deepEqual(
    present()
      .filter((path) => path.startsWith("new/"))
      .sort(),
    ["new/a", "new/deeper/b"],
  );
  renameSync(join(from.root, "old"), join(elsewhere.root, "old"));
  while (present().length > 2) await looked.wait();
});

/** Watches of the system that this process holds. */
function watches(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "FSEventWrap").length;
}

test("a folder that was deleted and made again is watched again", async (t) => {
  const from = new TestFolder("laptop", randomDevice());
  from.write("folder/a", "1");
  const told = new Set<string>();
  const heard = new Gate();
  const watcher = watchFolder(
    from.root,
    (paths = []) => {
      for (const path of paths) told.add(path);
      heard.open();
    },
    QUICK,
  );
  t.after(() => watcher.close());
  await watcher.ready;
  for (let round = 0; round < 5; round++) {
    rmSync(join(from.root, "folder"), { recursive: true });
    from.write(`folder/${round}`, "came with the folder");
    while (!told.has(`folder/${round}`)) await heard.wait();
    from.write(`folder/later${round}`, "came after it");
    while (!told.has(`folder/later${round}`)) await heard.wait();
  }
});
