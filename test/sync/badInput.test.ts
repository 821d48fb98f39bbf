import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { withDisk } from "#sync/disk.node.js";
import type { Incoming } from "#sync/folder.js";
import { DiskFolder } from "#sync/folder.node.js";
import { isRelativePath, parseRelativePath, type RelativePath } from "#sync/relativePath.js";
import { randomDevice, syncOnce, TestFolder } from "../support/folders.js";
import { streamPair } from "../support/streamPair.js";

const laptop = (): TestFolder => new TestFolder("laptop", randomDevice());
const pc = (): TestFolder => new TestFolder("pc", randomDevice());

/** An error of the system, as Node throws it. */
function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

function skippedPaths(at: TestFolder): string[] {
  return at.events.flatMap((event) => (event.type === "skipped" ? [event.path] : [])).sort();
}

test("hostile and awkward names are refused, harmless ones are not", () => {
  const refused = [
    ...["", ".", "..", "a/..", "../a", "/a", "a//b", "a/", "a/./b", "C:/a", "a:b", "a\\b", "a\0b", "a\nb", "a\u202eb"],
    ...[
      "con",
      "CON.txt",
      "nul",
      "com1.log",
      "lpt¹",
      "a.",
      "a ",
      "a./b",
      "x".repeat(256),
      "e\u0301",
      "\ud800",
      "\ufffd",
    ],
    ...[".handfast", ".Handfast/x", `${"d/".repeat(512)}x`, "a?", "a*", "a|b", "a<b", 'a"b'],
  ];
  for (const name of refused) assert.ok(!isRelativePath(parseRelativePath(name)), JSON.stringify(name));
  const allowed = [
    ...["a", "..a", "a..b", ".hidden", "console", "com", "x".repeat(255), "\u00e9", "日本語/😀", "a b", "a/.handfast"],
    `${"d/".repeat(511)}xx`,
  ];
  for (const name of allowed) assert.ok(isRelativePath(parseRelativePath(name)), JSON.stringify(name));
});

test("a file that changes while it is read is sent as it is in the end", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("log", randomBytes(2_000_000));
  from.write("other", "1");
  let reads = 0;
  await syncOnce(from, to, {
    from: (disk) => ({
      open: async (path) => {
        const reader = await disk.open(path);
        if (path !== "log" || !reader || reads++ > 0) return reader;
        const read = reader.read.bind(reader);
        reader.read = async (offset, length) => {
          if (offset > 0) appendFileSync(join(from.root, "log"), "one more line");
          return await read(offset, length);
        };
        return reader;
      },
    }),
  });
  assert.deepEqual(to.files(), ["log", "other"]);
  assert.equal(to.read("log"), from.read("log"));
  assert.ok(from.read("log").endsWith("line"));
});

test("a file that vanishes after it was announced does not arrive, and the others do", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("ghost", randomBytes(1000));
  from.write("real", "1");
  await syncOnce(from, to, {
    from: (disk) => ({
      open: async (path) => {
        if (path === "ghost") rmSync(join(from.root, path), { force: true });
        return await disk.open(path);
      },
    }),
  });
  assert.deepEqual(to.files(), ["real"]);
  assert.deepEqual(to.temporary(), []);
});

test("a file that may not be read is named, and the others go on", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("secret", "1");
  from.write("open", "2");
  // Injected: the tests may run as root, whom no permission stops.
  await syncOnce(from, to, {
    from: (disk) => ({
      hash: async (path) => {
        if (path === "secret") throw systemError("EACCES");
        return await disk.hash(path);
      },
    }),
  });
  assert.deepEqual(to.files(), ["open"]);
  assert.deepEqual(skippedPaths(from), ["secret"]);
});

test("what may not be written is named on both sides, and comes as soon as it may", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("locked/a", "1");
  from.write("b", "2");
  await syncOnce(from, to, {
    to: (disk) => ({
      receive: async (path, size) => {
        if (path.startsWith("locked/")) throw systemError("EACCES");
        return await disk.receive(path, size);
      },
    }),
  });
  assert.deepEqual(to.files(), ["b"]);
  assert.deepEqual([skippedPaths(from), skippedPaths(to)], [["locked/a"], ["locked/a"]]);
  await syncOnce(from, to);
  assert.deepEqual(to.files(), ["b", "locked/a"]);
});

test("a full disk pauses and goes on by itself, and no half file is left", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("big", randomBytes(200_000));
  from.write("small", "1");
  let room = false;
  to.wait = async () => {
    room = true;
  };
  const full = (incoming: Incoming): Incoming => {
    const write = incoming.write.bind(incoming);
    incoming.write = async (bytes) => {
      if (!room && bytes.length > 1000) await withDisk(to.root, () => Promise.reject(systemError("ENOSPC")));
      await write(bytes);
    };
    return incoming;
  };
  await syncOnce(from, to, { to: (disk) => ({ receive: async (path, size) => full(await disk.receive(path, size)) }) });
  assert.deepEqual(to.files(), ["big", "small"]);
  assert.equal(to.read("big"), from.read("big"));
  for (const side of [from, to]) assert.deepEqual([side.count("paused"), side.count("resumed")], [1, 1]);
  const synced = from.events.findLast((event) => event.type === "synced");
  assert.equal(synced?.type === "synced" && synced.sent, 2, "what was sent again is not one more file");
  assert.deepEqual(to.temporary(), []);
});

test("a file where a folder must go, and a folder where a file must go, both stay", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("thing/inside", "theirs");
  from.write("other", "their file");
  to.write("thing", "ours");
  to.write("other/inside", "our folder");
  await syncOnce(from, to);
  assert.equal(to.read("thing/inside"), "theirs");
  assert.equal(to.read("other/inside"), "our folder");
  const copies = to.files().filter((path) => path.includes(".conflict-"));
  assert.deepEqual(copies.map((path) => to.read(path)).sort(), ["ours", "their file"]);
  assert.equal(to.count("conflict"), 2);
});

test("a file becomes a folder, and a folder a file", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("one", "1");
  from.write("two/a", "2");
  await syncOnce(from, to);
  rmSync(join(from.root, "one"));
  rmSync(join(from.root, "two"), { recursive: true });
  from.write("one/a", "now a folder");
  from.write("two", "now a file");
  await syncOnce(from, to);
  assert.deepEqual(to.files(), ["one/a", "two"]);
  assert.equal(to.count("conflict"), 0);
});

test("a link in the way stays, and where it leads nothing changes", async () => {
  const [from, to] = [laptop(), pc()];
  const outside = join(mkdtempSync(join(tmpdir(), "handfast-outside-")), "file");
  appendFileSync(outside, "untouched");
  symlinkSync(outside, join(to.root, "link"));
  from.write("link", "escaped");
  from.write("fine", "1");
  await syncOnce(from, to);
  assert.deepEqual(skippedPaths(to), ["link", "link"]);
  assert.deepEqual(skippedPaths(from), ["link"]);
  unlinkSync(join(to.root, "link"));
  await syncOnce(from, to);
  assert.equal(to.read("link"), "escaped");
});

test("where letters' case makes no difference, two such names are two files", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("Readme", "one");
  await syncOnce(from, to);
  from.write("README", "two");
  await syncOnce(from, to, { to: () => ({ ignoresCase: true }) });
  assert.equal(to.read("Readme"), "one");
  const copy = to.files().find((path) => path.startsWith("README.conflict-"));
  assert.equal(copy && to.read(copy), "two");
});

test("a new spelling of a name is a rename, also where case makes no difference", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("Readme", "one");
  await syncOnce(from, to);
  renameSync(join(from.root, "Readme"), join(from.root, "README"));
  await syncOnce(from, to, { to: () => ({ ignoresCase: true }) });
  assert.deepEqual(to.files(), ["README"]);
});

test("a disk that is not there when the program starts, or goes later, deletes nothing", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("precious", "1");
  await syncOnce(from, to);
  // The mount point without the disk: empty, or with something else in it.
  renameSync(from.root, `${from.root}.disk`);
  mkdirSync(from.root);
  await assert.rejects(syncOnce(from, to), { code: "FOLDER_VANISHED" });
  from.write("stray", "1");
  await assert.rejects(syncOnce(from, to), { code: "FOLDER_VANISHED" });
  assert.deepEqual(to.files(), ["precious"]);
  assert.deepEqual(readdirSync(from.root), ["stray"]);
  rmSync(from.root, { recursive: true });
  renameSync(`${from.root}.disk`, from.root);
  await syncOnce(from, to);
  assert.deepEqual(to.files(), ["precious"]);
});

test("the receiver's disk goes while files arrive: it stops, and the empty place stays empty", async () => {
  const [from, to] = [laptop(), pc()];
  for (let i = 0; i < 60; i++) from.write(`f${i}`, randomBytes(1000));
  const pair = streamPair();
  let begun = 0;
  const [source, target] = [
    await from.open(),
    await to.open((disk: DiskFolder) => ({
      receive: async (path, size) => {
        if (++begun === 40) rmSync(to.root, { recursive: true });
        mkdirSync(to.root, { recursive: true });
        return await disk.receive(path, size);
      },
    })),
  ];
  const sender = from.session(source, pair.a, "send", to.device).run();
  const receiver = to.session(target, pair.b, "receive", from.device).run();
  sender.catch(() => {});
  await assert.rejects(receiver, { code: "FOLDER_VANISHED" });
  await assert.rejects(sender);
  const folder = await DiskFolder.open(to.root, { writable: true });
  await assert.rejects(folder.receive("d/x" as RelativePath, 1), { code: "FOLDER_VANISHED" });
  assert.deepEqual(readdirSync(to.root), []);
});

test("a name that would play with the terminal is shown without its tricks", async () => {
  const from = laptop();
  from.write("good", "1");
  from.write("\u001b[2Jcleared", "2");
  await from.open();
  assert.deepEqual(skippedPaths(from), ["\ufffd[2Jcleared"]);
});

test("a name that is not NFC is skipped with the reason, and its file stays as it is", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("cafe\u0301", "decomposed");
  from.write("caf\u00e9", "composed");
  await syncOnce(from, to);
  assert.deepEqual(to.files(), ["caf\u00e9"]);
  const reasons = from.events.flatMap((event) => (event.type === "skipped" ? [event.reason] : []));
  assert.deepEqual(reasons, ["its name cannot be used everywhere: not normalised"]);
  assert.equal(from.files().length, 2);
});

test("a folder that may only be read can be sent, and nothing is put into it", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("a", "1");
  const disk = await DiskFolder.open(from.root, { writable: false });
  await syncOnce(from, to, { from: () => ({ claim: () => disk.claim() }) });
  from.write("b", "2");
  await syncOnce(from, to, { from: () => ({ claim: () => disk.claim() }) });
  assert.deepEqual(to.files(), ["a", "b"]);
  assert.deepEqual(readdirSync(from.root).sort(), ["a", "b"]);
});

test("a folder without permission is a clear error", {
  skip: process.getuid?.() === 0 ? "root may read everything" : false,
}, async (t) => {
  const from = laptop();
  chmodSync(from.root, 0);
  t.after(() => chmodSync(from.root, 0o700));
  await assert.rejects(DiskFolder.open(from.root, { writable: true }), { code: "FOLDER_UNREADABLE" });
});
