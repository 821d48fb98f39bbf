import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { RecordCompactor } from "#sync/compactRecord.js";
import { type FileRecord, NO_HASH } from "#sync/record.js";
import { isRelativePath, parseRelativePath } from "#sync/relativePath.js";

function record(n: number, changes: Partial<FileRecord> = {}): FileRecord {
  const path = parseRelativePath(`f${n}`);
  assert.ok(isRelativePath(path));
  const hash = new Uint8Array(createHash("sha256").update(`${n}`).digest());
  const version = new Map([["0123456789abcdef", Math.floor(n / 100)]]);
  const by = "0123456789abcdef";
  return { path, size: n, mtimeMs: n, executable: false, hash, version, deleted: false, by, ...changes };
}

test("a compacted record says the same, and the next ones do not change it", () => {
  const compactor = new RecordCompactor();
  const kept = Array.from({ length: 1000 }, (_, n) => compactor.compact(record(n)));
  for (const [n, each] of kept.entries()) assert.deepEqual(each, record(n));
  assert.equal(new Set(kept.map(({ version }) => version)).size, 10);
  assert.ok(new Set(kept.map(({ hash }) => hash.buffer)).size < 20);
});

test("what comes back takes no more room; what the caller does with its own bytes later changes nothing", () => {
  const compactor = new RecordCompactor();
  const first = compactor.compact(record(1));
  assert.equal(compactor.compact({ ...first, size: 5 }).hash, first.hash);
  const mine = record(2);
  const second = compactor.compact(mine);
  mine.hash.fill(7);
  assert.deepEqual(second, record(2));
  assert.equal(compactor.compact(record(3, { size: 0, hash: new Uint8Array(32), deleted: true })).hash, NO_HASH);
});
