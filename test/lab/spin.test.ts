import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";

// The Promela models of test/models, with Spin itself: the same questions as their TypeScript twins, larger bounds.

const missing = ["spin", "gcc"].filter((tool) => spawnSync(tool, ["--version"]).error);
const skip = missing.length > 0 ? `needs ${missing.join(" and ")} (apt install spin gcc)` : false;

interface Run {
  readonly model: string;
  readonly claim: string;
  readonly define?: string;
  readonly holds: boolean;
}

const final = (claim: string, holds: boolean, define?: string): Run => ({
  ...{ model: "pairing-final.pml", claim, holds },
  ...(define && { define }),
});
const ratchet = (claim: string, holds: boolean, define?: string): Run => ({
  ...{ model: "pairing-ratchet.pml", claim, holds },
  ...(define && { define }),
});
const RUNS: readonly Run[] = [
  final("safe_c", true),
  final("safe_s", true, "WAL"),
  final("can_finish", true),
  final("safe_s", false, "NAIVE"),
  final("can_finish", false, "SENDFIRST"),
  final("can_finish", false, "EXPIRE"),
  ratchet("no_false_alarm", false, "ALARMONINIT"),
  ratchet("no_false_alarm", false, "ONESLOT"),
  ratchet("overlap", false, "FORGETOLD"),
  ratchet("no_false_alarm", true),
  ratchet("overlap", true),
];

for (const { model, claim, define, holds } of RUNS)
  test(`${model}: ${claim} ${holds ? "holds" : "is broken"}${define ? ` with ${define}` : ""}`, { skip }, (t) => {
    const errors = verify(t, model, claim, define);
    assert.equal(errors === 0, holds, `${errors} errors`);
  });

/** Compiles the model into a verifier and runs it: the number of errors that Spin reports. */
function verify(t: TestContext, model: string, claim: string, define: string | undefined): number {
  const directory = mkdtempSync(join(tmpdir(), "handfast-spin-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const run = (command: string, ...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: directory, encoding: "utf8", timeout: 280_000 });
    assert.equal(status, 0, `${command}: ${stdout}${stderr}`);
    return stdout;
  };
  run("spin", ...(define ? [`-D${define}`] : []), "-a", resolve("test/models", model));
  run("gcc", "-O2", "-DMEMLIM=4000", "-DCOLLAPSE", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c");
  const report = run("./pan", "-m200000", "-w26", "-N", claim);
  assert.doesNotMatch(report, /max search depth too small/);
  return Number(/errors: (\d+)/.exec(report)?.[1] ?? Number.NaN);
}
