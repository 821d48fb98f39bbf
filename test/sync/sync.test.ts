import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DiskFolder } from "#sync/folder.node.js";
import { randomDevice, syncOnce, TestFolder } from "../support/folders.js";
import { streamPair } from "../support/streamPair.js";

const laptop = (): TestFolder => new TestFolder("laptop", randomDevice());
const pc = (): TestFolder => new TestFolder("pc", randomDevice());

test("cut in the middle, the next sync goes on with the files that are missing", async () => {
  const [from, to] = [laptop(), pc()];
  for (let i = 0; i < 40; i++) from.write(`f${i}`, randomBytes(50_000));
  const pair = streamPair();
  const [source, target] = [await from.open(), await to.open()];
  const sender = from.session(source, pair.a, "send", to.device).run();
  const receiver = to.session(target, pair.b, "receive", from.device).run();
  const ended = Promise.allSettled([sender, receiver]);
  while (to.count("received") < 10) await new Promise((resolve) => setImmediate(resolve));
  pair.cut();
  await ended;
  const already = to.files().length;
  assert.ok(already >= 10 && already < 40);
  const sentBefore = from.count("sent");
  await syncOnce(from, to);
  assert.deepEqual(to.files(), from.files());
  for (const path of from.files())
    assert.deepEqual(readFileSync(join(to.root, path)), readFileSync(join(from.root, path)));
  assert.ok(from.count("sent") - sentBefore <= 40 - already + 1);
});

test("two devices that changed the same file both keep their text", async () => {
  const [a, b, to] = [laptop(), laptop(), pc()];
  a.write("notes.txt", "from a");
  b.write("notes.txt", "from b");
  utimesSync(join(a.root, "notes.txt"), 1_700_000_000, 1_700_000_000);
  await syncOnce(a, to);
  await syncOnce(b, to);
  assert.equal(to.read("notes.txt"), "from b");
  const copy = to.files().find((path) => path.startsWith("notes.conflict-"));
  assert.ok(copy);
  assert.equal(to.read(copy), "from a");
  assert.equal(to.count("conflict"), 1);
});

test("an edit on the PC is never overwritten", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("x", "one");
  await syncOnce(from, to);
  to.write("x", "edited on the PC");
  from.write("x", "two");
  utimesSync(join(from.root, "x"), 2_000_000_000, 2_000_000_000);
  await syncOnce(from, to);
  const all = to
    .files()
    .map((path) => to.read(path))
    .sort();
  assert.deepEqual(all, ["edited on the PC", "two"]);
});

test("ten devices into one folder at once", async () => {
  const to = pc();
  const devices = Array.from({ length: 10 }, laptop);
  for (const [i, device] of devices.entries())
    for (let j = 0; j < 5; j++) device.write(`d${i}/${j}`, randomBytes(20_000));
  const shared = await to.open();
  await Promise.all(
    devices.map(async (from) => {
      const pair = streamPair();
      const sender = from.session(await from.open(), pair.a, "send", to.device);
      const receiver = to.session(shared, pair.b, "receive", from.device);
      const running = Promise.all([sender.run(), receiver.run()]);
      while (from.count("synced") === 0) await Promise.race([running, new Promise((resolve) => setImmediate(resolve))]);
      await Promise.all([sender.end(), receiver.end()]);
      await running;
    }),
  );
  assert.equal(to.files().length, 50);
});

test("names that cannot be used everywhere, links and unreadable files are named, and the rest goes on", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("good", "1");
  from.write("con.txt", "reserved");
  from.write("trailing.", "dot");
  writeFileSync(Buffer.concat([Buffer.from(`${from.root}/bad`), Buffer.from([0xff])]), "not UTF-8");
  symlinkSync("/etc/passwd", join(from.root, "link"));
  await syncOnce(from, to);
  assert.deepEqual(to.files(), ["good"]);
  assert.equal(from.count("skipped"), 4);
});

test("a link inside the PC's folder never leads a write outside", async () => {
  const [from, to] = [laptop(), pc()];
  const outside = mkdtempSync(join(tmpdir(), "handfast-outside-"));
  symlinkSync(outside, join(to.root, "out"));
  from.write("out/evil", "escaped");
  from.write("fine", "1");
  await syncOnce(from, to);
  assert.deepEqual(
    to.files().filter((path) => !path.startsWith("out")),
    ["fine"],
  );
  assert.throws(() => statSync(join(outside, "evil")));
  assert.ok(to.events.some((event) => event.type === "skipped" && event.path === "out/evil"));
});

test("a folder that is missing, a file, or suddenly empty stops with a clear error", async () => {
  const codeOf = async (work: Promise<unknown>): Promise<string> =>
    await work.then(
      () => "none",
      (error: { code: string }) => error.code,
    );
  const from = laptop();
  assert.equal(await codeOf(DiskFolder.open(join(from.root, "nowhere"), { writable: false })), "FOLDER_MISSING");
  from.write("file", "1");
  assert.equal(await codeOf(DiskFolder.open(join(from.root, "file"), { writable: false })), "FOLDER_NOT_A_DIRECTORY");
  const shared = await from.open();
  rmSync(from.root, { recursive: true });
  mkdirSync(from.root);
  assert.equal(await codeOf(shared.rescan()), "FOLDER_VANISHED");
  assert.equal(shared.index.files, 1);
});
