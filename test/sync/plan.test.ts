import assert from "node:assert/strict";
import { test } from "node:test";
import { type Action, plan } from "#sync/plan.js";
import { type FileRecord, NO_HASH } from "#sync/record.js";
import { conflictPath, isRelativePath, parseRelativePath, type RelativePath } from "#sync/relativePath.js";
import { compareVersions } from "#sync/versionVector.js";
import { SeededRandom } from "../simulation/seededRandom.js";

const [A, B] = ["a".repeat(16), "b".repeat(16)];

function path(text: string): RelativePath {
  const parsed = parseRelativePath(text);
  assert.ok(isRelativePath(parsed));
  return parsed;
}

/** `version`: counts of the devices A and B; `content` 0 is deleted. */
function record(version: readonly [number, number], content: number, mtimeMs = 0, executable = false): FileRecord {
  const deleted = content === 0;
  const hash = deleted ? NO_HASH : new Uint8Array(32).fill(content);
  const counts = [
    [A, version[0]],
    [B, version[1]],
  ] as const;
  const known = new Map(counts.filter(([, count]) => count > 0));
  return {
    path: path("x"),
    size: content,
    mtimeMs,
    executable: executable && !deleted,
    hash,
    version: known,
    deleted,
    by: A,
  };
}

test("the plan of PROTOCOL.md §4, line by line", () => {
  const table: [FileRecord | undefined, FileRecord, Action][] = [
    [undefined, record([1, 0], 1), "fetch"],
    [undefined, record([1, 0], 0), "merge"],
    [record([1, 0], 1), record([1, 0], 2), "keep"],
    [record([1, 1], 1), record([1, 0], 2), "keep"],
    [record([1, 0], 1), record([1, 1], 1), "merge"],
    [record([1, 0], 1), record([0, 1], 1), "merge"],
    [record([1, 0], 0), record([0, 1], 0), "merge"],
    [record([1, 0], 1), record([1, 1], 2), "fetch"],
    [record([1, 0], 1), record([1, 1], 0), "trash"],
    [record([1, 0], 1), record([0, 1], 0), "keep"],
    [record([1, 0], 0), record([0, 1], 1), "fetch"],
    [record([1, 0], 1, 0, false), record([0, 1], 1, 0, true), "fetch"],
    [record([1, 0], 1, 0, true), record([0, 1], 1, 0, false), "keep"],
    [record([1, 0], 1, 5), record([0, 1], 2, 6), "conflict-ours"],
    [record([1, 0], 1, 6), record([0, 1], 2, 5), "conflict-theirs"],
    [record([1, 0], 1, 5), record([0, 1], 2, 5), "conflict-ours"],
    [record([1, 0], 2, 5), record([0, 1], 1, 5), "conflict-theirs"],
  ];
  for (const [i, [local, remote, action]] of table.entries()) assert.equal(plan(local, remote), action, `line ${i}`);
});

test("two devices that exchange the same two records never do opposite things", () => {
  const fits: Record<Action, readonly Action[]> = {
    keep: ["keep", "fetch", "trash", "merge"],
    merge: ["merge", "keep"],
    fetch: ["keep"],
    trash: ["keep"],
    "conflict-ours": ["conflict-theirs"],
    "conflict-theirs": ["conflict-ours"],
  };
  const random = new SeededRandom(4);
  const any = (): FileRecord =>
    record([random.integer(3), random.integer(3) + 1], random.integer(3), random.integer(2), random.chance(0.5));
  for (let i = 0; i < 5000; i++) {
    const [one, other] = [any(), any()];
    // The same version of two contents is no history that can happen.
    if (compareVersions(one.version, other.version) === "equal") continue;
    const [here, there] = [plan(one, other), plan(other, one)];
    assert.ok(fits[here].includes(there), `${here} and ${there}`);
  }
});

test("a conflict copy's name fits on every disk and stays a path", () => {
  const label = `${A}-20260102-030405`;
  assert.equal(conflictPath(path("d/notes.txt"), label), `d/notes.conflict-${label}.txt`);
  assert.equal(conflictPath(path(".profile"), label), `.profile.conflict-${label}`);
  for (const name of [
    "x".repeat(255),
    `${"é".repeat(120)}.text`,
    `a.${"e".repeat(250)}`,
    `${"d/".repeat(400)}${"y".repeat(200)}.z`,
  ])
    assert.ok(isRelativePath(parseRelativePath(conflictPath(path(name), label))), name.slice(0, 20));
});
