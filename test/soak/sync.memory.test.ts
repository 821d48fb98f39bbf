import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";

const SIZE = 2 * 1024 ** 3;
const LIMIT_MIB = 200;
const SMALL_FILES = 500;
const PEER = join(import.meta.dirname, "syncPeer.node.js");

test("either side of a 2 GiB file, with small ones beside it, stays under 200 MiB", { timeout: 240_000 }, async (t) => {
  const base = mkdtempSync(join(tmpdir(), "handfast-memory-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const [from, to] = [join(base, "from"), join(base, "to")];
  for (const folder of [from, to]) mkdirSync(folder);
  writeFileSync(join(from, "big"), "");
  truncateSync(join(from, "big"), SIZE); // sparse
  for (let i = 0; i < SMALL_FILES; i++) writeFileSync(join(from, `small-${i}`), `small ${i}`);

  const receiver = run("receive", to, "0");
  const port = await receiver.lines.next();
  const sender = run("send", from, String(port.value));
  t.after(() => [receiver, sender].forEach(({ child }) => void child.kill()));
  for (const side of [sender, receiver]) {
    const report = JSON.parse((await side.lines.next()).value ?? "null") as {
      mode: string;
      files: number;
      maxRssMiB: number;
    };
    t.diagnostic(`${report.mode}: ${Math.round(report.maxRssMiB)} MiB`);
    assert.equal(report.files, SMALL_FILES + 1);
    assert.ok(report.maxRssMiB < LIMIT_MIB, `${report.mode} used ${report.maxRssMiB} MiB`);
  }
  assert.equal(statSync(join(to, "big")).size, SIZE);
});

function run(
  mode: string,
  folder: string,
  port: string,
): { child: ChildProcessWithoutNullStreams; lines: AsyncIterator<string> } {
  const child = spawn(process.execPath, [PEER, mode, folder, port]);
  child.stderr.pipe(process.stderr);
  return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
}
