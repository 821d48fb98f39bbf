import assert from "node:assert/strict";
import { copyFileSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { FolderIndex } from "#sync/folderIndex.js";
import { IndexFile } from "#sync/indexStore.node.js";
import type { FileRecord } from "#sync/record.js";
import { isRelativePath, parseRelativePath } from "#sync/relativePath.js";
import { randomDevice, syncOnce, TestFolder } from "../support/folders.js";

const DEVICE = "ab".repeat(8);

function record(name: string, fill: number): FileRecord {
  const path = parseRelativePath(name);
  assert.ok(isRelativePath(path));
  const hash = new Uint8Array(32).fill(fill);
  return {
    path,
    size: fill,
    mtimeMs: 1,
    executable: false,
    hash,
    version: new Map([[DEVICE, fill]]),
    deleted: false,
    by: DEVICE,
  };
}

function content(index: FolderIndex): unknown {
  return [index.id, index.sequence, [...index.entries()], [...index.peers]];
}

test("a crash while the index is saved leaves the old records or the new ones, whole", async () => {
  const { indexPath } = new TestFolder("pc", DEVICE);
  const store = new IndexFile(indexPath);
  const index = await store.load();
  index.set(record("a", 1), undefined);
  await store.save(index);
  const before = readFileSync(indexPath);
  index.set(record("a", 2), undefined);
  index.set(record("ü", 3), { size: 3, mtimeMs: 1.25, ctimeMs: 2.5, inode: 7 });
  index.setPeer(DEVICE, "cd".repeat(16), 9);
  await store.save(index);
  const after = readFileSync(indexPath);
  assert.deepEqual(after.subarray(0, before.length), before, "only appended");
  for (let cut = before.length; cut <= after.length; cut++) {
    writeFileSync(indexPath, after.subarray(0, cut));
    const again = new IndexFile(indexPath);
    const loaded = await again.load();
    const hash = loaded.get(record("a", 1).path)?.record.hash[0];
    assert.ok(loaded.id === index.id && (hash === 1 || hash === 2), `cut at ${cut}`);
    // And what is saved next is readable, whatever half a line was there.
    if (cut % 40 !== 0) continue;
    loaded.set(record("b", 4), undefined);
    await again.save(loaded);
    assert.deepEqual(content(await new IndexFile(indexPath).load()), content(loaded), `saved after a cut at ${cut}`);
  }
  writeFileSync(indexPath, after);
  assert.deepEqual(content(await new IndexFile(indexPath).load()), content(index));
});

test("saving costs what has changed, and the file does not grow for ever", async () => {
  const { indexPath } = new TestFolder("pc", DEVICE);
  const store = new IndexFile(indexPath);
  const index = await store.load();
  for (let i = 0; i < 2000; i++) index.set(record(`f${i}`, 1), undefined);
  await store.save(index);
  const whole = statSync(indexPath).size;
  index.set(record("f7", 2), undefined);
  await store.save(index);
  assert.ok(statSync(indexPath).size - whole < 300);
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 500; i++) index.set(record(`f${i}`, round + 3), undefined);
    await store.save(index);
  }
  assert.ok(statSync(indexPath).size < 3 * whole);
  assert.deepEqual(content(await new IndexFile(indexPath).load()), content(index));
});

test("entries come in the order of their sequence numbers, after a restart too", async () => {
  const { indexPath } = new TestFolder("pc", DEVICE);
  const store = new IndexFile(indexPath);
  const index = await store.load();
  for (const name of ["a", "b", "c"]) index.set(record(name, 1), undefined);
  await store.save(index);
  index.setStat(record("a", 1).path, { size: 1, mtimeMs: 1, ctimeMs: 1, inode: 1 });
  index.set(record("b", 2), undefined);
  await store.save(index);
  for (const each of [index, await new IndexFile(indexPath).load()]) {
    assert.deepEqual(
      each.since(1).map((entry) => [entry.record.path, entry.sequence]),
      [
        ["c", 3],
        ["b", 4],
      ],
    );
  }
});

test("what looks the same is not read again; a change that keeps size and time is noticed", async () => {
  const at = new TestFolder("pc", DEVICE);
  const old = new Date("2020-01-01");
  for (const name of ["a", "b"]) {
    at.write(name, "same size");
    utimesSync(join(at.root, name), old, old);
  }
  const hashed: string[] = [];
  const open = (): ReturnType<TestFolder["open"]> =>
    at.open((disk) => ({
      hash: (path) => {
        hashed.push(path);
        return disk.hash(path);
      },
    }));
  await open();
  assert.deepEqual(hashed.splice(0).sort(), ["a", "b"]);
  await open();
  assert.deepEqual(hashed.splice(0), []);
  at.write("a", "SAME SIZE");
  utimesSync(join(at.root, "a"), old, old);
  const shared = await open();
  assert.deepEqual(hashed, ["a"]);
  const hashOf = (name: string): unknown => shared.index.get(record(name, 1).path)?.record.hash;
  assert.notDeepEqual(hashOf("a"), hashOf("b"));
});

test("an index that is damaged or lost is rebuilt, and no file travels again", async () => {
  const [from, to] = [new TestFolder("laptop", randomDevice()), new TestFolder("pc", randomDevice())];
  for (let i = 0; i < 5; i++) from.write(`f${i}`, `content ${i}`);
  await syncOnce(from, to);
  for (const each of [from, to]) {
    writeFileSync(each.indexPath, "garbage\n");
    await syncOnce(from, to);
  }
  assert.equal(from.count("sent"), 5);
  // Nor does the next edit look like a conflict, although only one side has changed anything.
  for (const text of ["edited", "edited again"]) {
    from.write("f1", text);
    await syncOnce(from, to);
    assert.equal(to.read("f1"), text);
  }
  assert.equal(to.count("conflict"), 0);
  assert.equal(to.trash().length, 2);
});

test("an index from before the last sync (a restored backup) hides no change from the peer", async () => {
  const [from, to] = [new TestFolder("laptop", randomDevice()), new TestFolder("pc", randomDevice())];
  from.write("a", "1");
  await syncOnce(from, to);
  copyFileSync(from.indexPath, `${from.indexPath}.backup`);
  for (const name of ["b", "c", "d"]) from.write(name, name);
  await syncOnce(from, to);
  copyFileSync(`${from.indexPath}.backup`, from.indexPath);
  from.write("a", "changed after the backup came back");
  await syncOnce(from, to);
  assert.deepEqual(to.files(), ["a", "b", "c", "d"]);
  assert.equal(to.read("a"), "changed after the backup came back");
  assert.equal(to.count("conflict"), 0);
});
