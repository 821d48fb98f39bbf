import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { encodeCbor } from "#kernel/cbor.js";
import { DiskFolder } from "#sync/folder.node.js";
import { MessageChannel } from "#sync/messageChannel.js";
import { encodeSyncMessage } from "#sync/messages.js";
import { randomDevice, syncOnce, TestFolder } from "../support/folders.js";
import { streamPair } from "../support/streamPair.js";

const laptop = (): TestFolder => new TestFolder("laptop", randomDevice());
const pc = (): TestFolder => new TestFolder("pc", randomDevice());

test("a folder arrives whole, and the second time nothing travels", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("a.txt", "hello");
  from.write("deep/er/b.bin", randomBytes(700_000));
  from.write("empty", "");
  from.write("run.sh", "#!/bin/sh\n");
  chmodSync(join(from.root, "run.sh"), 0o755);
  await syncOnce(from, to);
  assert.deepEqual(to.files(), from.files());
  assert.deepEqual(readFileSync(join(to.root, "deep/er/b.bin")), readFileSync(join(from.root, "deep/er/b.bin")));
  assert.equal(statSync(join(to.root, "run.sh")).mode & 0o100, 0o100);
  assert.equal(
    Math.floor(statSync(join(to.root, "a.txt")).mtimeMs),
    Math.floor(statSync(join(from.root, "a.txt")).mtimeMs),
  );
  assert.equal(from.count("sent"), 4);
  const bytes = await syncOnce(from, to);
  assert.equal(from.count("sent"), 4);
  assert.ok(bytes < 300, `${bytes} bytes for nothing`);
});

test("a change arrives, a deletion moves to the trash, a rename moves nothing over the wire", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("keep", "1");
  from.write("change", "old");
  from.write("delete", "precious");
  from.write("big", randomBytes(300_000));
  await syncOnce(from, to);
  from.write("change", "new");
  rmSync(join(from.root, "delete"));
  renameSync(join(from.root, "big"), join(from.root, "moved"));
  const bytes = await syncOnce(from, to);
  assert.deepEqual(to.files(), ["change", "keep", "moved"]);
  assert.equal(to.read("change"), "new");
  assert.ok(bytes < 10_000, "the renamed file travelled again");
  const trashed = to.trash().map((path) => path.split("/").at(-1));
  assert.deepEqual(trashed.sort(), ["big", "change", "delete"]);
});

test("cut in the middle, the next sync goes on with the files that are missing", async () => {
  const [from, to] = [laptop(), pc()];
  for (let i = 0; i < 40; i++) from.write(`f${i}`, randomBytes(50_000));
  const pair = streamPair();
  const [source, target] = [await from.open(), await to.open()];
  const sender = from.session(source, pair.a, "send", to.device).run();
  const receiver = to.session(target, pair.b, "receive", from.device).run();
  const ended = Promise.allSettled([sender, receiver]);
  await to.more("received", 9, ended);
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
      await from.more("synced", 0, running);
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
  // The trap was real: a plain write goes through the link.
  to.write("out/evil", "escaped");
  assert.equal(readFileSync(join(outside, "evil"), "utf8"), "escaped");
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

const framed = (body: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from([0, 0, body.length >> 8, body.length & 255]), body]);

test("a peer that lies about a file, or speaks nonsense, changes nothing", async () => {
  const hash = new Uint8Array(32).fill(1);
  const peer = randomDevice();
  const indexId = "ab".repeat(16);
  const hello = { type: "hello", device: peer, indexId, mode: "send", have: { indexId: "", sequence: 0 } } as const;
  const index = (path: string, mtimeMs = 1_700_000_000_000): Uint8Array =>
    framed(encodeCbor([1, [[path, 0, 5, mtimeMs, 0, hash, [peer, 1], peer]], 1, false]));
  const answer = (bytes: string): Uint8Array[] => [
    framed(encodeSyncMessage({ type: "data", id: 1, bytes: Buffer.from(bytes) })),
    framed(encodeSyncMessage({ type: "end", id: 1, status: "ok" })),
  ];
  const stories: Record<string, readonly Uint8Array[]> = {
    "path traversal": [index("../escaped")],
    "absolute path": [index("/tmp/escaped")],
    "our own folder": [index(".handfast/tmp/x")],
    "no such time": [index("x", 8_640_000_000_000_001)],
    "more than was announced": [index("x"), ...answer("longer than five")],
    "a huge message": [Uint8Array.of(0x7f, 0xff, 0xff, 0xff)],
    "not CBOR": [framed(Uint8Array.of(0xff, 0xff))],
    "a message for the other side": [framed(encodeSyncMessage({ type: "applied", sequence: 1 }))],
  };
  for (const [name, messages] of Object.entries(stories)) {
    const to = pc();
    to.write("mine", "untouched");
    const pair = streamPair();
    const run = to.session(await to.open(), pair.b, "receive", peer).run();
    const outcome = run.then(
      () => "ended",
      (error: Error) => error.name,
    );
    const talk = new MessageChannel(pair.a);
    await pair.a.write(framed(encodeSyncMessage(hello)));
    for (const message of messages) {
      if (message === messages[1]) while ((await talk.receive())?.type !== "request");
      await pair.a.write(message).catch(() => {});
    }
    assert.equal(await outcome, "WireError", name);
    assert.deepEqual(to.files(), ["mine"], name);
    assert.deepEqual(to.temporary(), [], name);
  }
});

test("content that is not what was announced is asked for three times and never gets the name", async () => {
  const peer = randomDevice();
  const to = pc();
  const pair = streamPair();
  const run = to.session(await to.open(), pair.b, "receive", peer).run();
  const talk = new MessageChannel(pair.a);
  await talk.send({
    type: "hello",
    device: peer,
    indexId: "ab".repeat(16),
    mode: "send",
    have: { indexId: "", sequence: 0 },
  });
  await pair.a.write(
    framed(encodeCbor([1, [["x", 0, 5, 0, 0, new Uint8Array(32).fill(1), [peer, 1], peer]], 1, false])),
  );
  let requests = 0;
  for (let message = await talk.receive(); message?.type !== "applied"; message = await talk.receive()) {
    if (message?.type !== "request") continue;
    requests++;
    await talk.send({ type: "data", id: message.id, bytes: Buffer.from("wrong") });
    await talk.send({ type: "end", id: message.id, status: "ok" });
  }
  assert.equal(requests, 3);
  await talk.end();
  await run;
  assert.deepEqual(to.files(), []);
  assert.deepEqual(to.temporary(), []);
  assert.equal(to.count("skipped"), 1);
});
