import assert from "node:assert/strict";
import { appendFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
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
