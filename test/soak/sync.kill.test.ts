import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";

const PEER = join(import.meta.dirname, "syncPeer.node.js");
const FILES = 400;
const KILLS = 12;

test("a receiver killed at any moment holds the old file or the new one, and the next sync completes it", {
  timeout: 120_000,
}, async (t) => {
  const base = mkdtempSync(join(tmpdir(), "handfast-kill-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const [from, to] = [join(base, "from"), join(base, "to")];
  for (const folder of [from, to]) mkdirSync(folder);
  const text = (i: number, round: number): string => `${round} ${String(i).repeat(2000)}`;
  const writeAll = (round: number): void => {
    for (let i = 0; i < FILES; i++) writeFileSync(join(from, `f${i}`), text(i, round));
  };
  writeAll(0);
  await sync(from, to);
  for (let round = 1; round <= KILLS; round++) {
    writeAll(round);
    await sync(from, to, { round, files: (FILES * round) / (KILLS + 1) });
    let changed = 0;
    for (let i = 0; i < FILES; i++) {
      const path = join(to, `f${i}`);
      // Between the trash and the new name: the old one is in the trash.
      const now = existsSync(path) ? readFileSync(path, "utf8") : inTrash(to, `f${i}`);
      const isNew = now === text(i, round);
      assert.ok(isNew || now === text(i, round - 1), `f${i} is neither old nor new in round ${round}`);
      changed += isNew ? 1 : 0;
    }
    t.diagnostic(`killed with ${changed} of ${FILES} files new`);
    await sync(from, to);
    for (let i = 0; i < FILES; i++) assert.equal(readFileSync(join(to, `f${i}`), "utf8"), text(i, round));
    assert.deepEqual(
      readdirSync(to).filter((name) => name.includes("conflict")),
      [],
    );
    assert.deepEqual(readdirSync(join(to, ".handfast/tmp")), []);
  }
});

function inTrash(root: string, name: string): string | undefined {
  const trash = join(root, ".handfast/trash");
  const copies = readdirSync(trash)
    .map((day) => join(trash, day, name))
    .filter((path) => existsSync(path));
  const newest = copies.sort((a, b) => statSync(b).ctimeMs - statSync(a).ctimeMs)[0];
  return newest === undefined ? undefined : readFileSync(newest, "utf8");
}

/** Old files that this round has moved to the trash: the n-th copy of a name on one day has its own folder. */
function replaced(root: string, round: number): number {
  const trash = join(root, ".handfast/trash");
  const day = existsSync(trash)
    ? readdirSync(trash).find((name) => (name.split(".")[1] ?? "0") === String(round - 1))
    : undefined;
  return day === undefined ? 0 : readdirSync(join(trash, day)).length;
}

/** Two processes; the receiver is killed when so many files have been replaced. */
async function sync(
  from: string,
  to: string,
  kill?: { readonly round: number; readonly files: number },
): Promise<void> {
  const receiver = spawn(process.execPath, [PEER, "receive", to, "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface(receiver.stdout)[Symbol.asyncIterator]();
  const port = String((await lines.next()).value);
  const sender = spawn(process.execPath, [PEER, "send", from, port], { stdio: "ignore" });
  const watch = setInterval(() => {
    if (kill && replaced(to, kill.round) >= kill.files) receiver.kill("SIGKILL");
  }, 2);
  await Promise.all([once(receiver, "exit"), once(sender, "exit")]);
  clearInterval(watch);
}
