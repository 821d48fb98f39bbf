import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { exitCodeOf } from "#cli/exitCodes.js";
import { nobodyFound } from "#cli/findPc.node.js";
import { normalised } from "#cli/options.node.js";
import { FolderError } from "#sync/folder.js";
import { TwoDevices } from "./devices.js";

const MAIN = "dist/src/cli/main.node.js";

function handfast(
  args: readonly string[],
  env: Record<string, string> = {},
): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: 30_000,
  });
  return { code: status, out: stdout, err: stderr };
}

test("a command that does not exist: the nearest name, exit 2", () => {
  const { code, err } = handfast(["jion"]);
  assert.equal(code, 2);
  assert.match(err, /Did you mean join/);
});

test("wrong usage: exit 2, nothing on standard output", () => {
  for (const args of [
    ["join"],
    ["join", ".", "--mode", "sideways"],
    ["share", ".", "--port", "70000"],
    ["share", ".", "--code", "--qr"],
    ["join", ".", "--code", "--link", "-"],
    ["pair", "--open", "--link", "-"],
    ["tunnel", "1:2:3"],
  ]) {
    const { code, out } = handfast(args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(out, "");
  }
});

test("--pair takes seconds only where they are", () => {
  assert.deepEqual(normalised(["share", "--pair", "folder"]), ["share", "--pair=120", "folder"]);
  assert.deepEqual(normalised(["share", "--pair", "30", "folder"]), ["share", "--pair", "30", "folder"]);
  assert.deepEqual(normalised(["share", "folder", "--pair"]), ["share", "folder", "--pair=120"]);
});

test("help and version go to standard output and succeed", () => {
  const help = handfast(["--help"]);
  assert.equal(help.code, 0);
  assert.match(help.out, /handfast join ~\/Photos/);
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  assert.equal(handfast(["--version"]).out, `${version}\n`);
});

test("a --peer that no machine has is named, at once", (t) => {
  const { laptopFolder, laptopState } = new TwoDevices(t);
  // Longer than a label may be, so nobody is asked for it.
  const host = "x".repeat(64);
  for (const command of [["join", laptopFolder], ["pair"]]) {
    const { code, err } = handfast([...command, "--peer", `${host}:4760`, "--state", laptopState]);
    assert.equal(code, 3);
    assert.match(err, new RegExp(`name or address "${host}"`));
  }
});

test("a folder that may not be used is a matter of use, not an internal error", () => {
  for (const code of ["FOLDER_MISSING", "FOLDER_NOT_A_DIRECTORY", "FOLDER_UNREADABLE"] as const)
    assert.equal(exitCodeOf(new FolderError(code, "No.")), 2, code);
});

test("nobody found: without a network that is said first", () => {
  assert.equal(nobodyFound({ networkProblems: ["On no network."] }, "Try this.").message, "On no network. Try this.");
  assert.equal(nobodyFound({ networkProblems: [] }, "Try this.").message, "Try this.");
});

test("letters and links are not written where standard error may be a log", (t) => {
  const { base, pcFolder } = new TwoDevices(t);
  for (const args of [
    ["share", pcFolder, "--code"],
    ["pair", "--qr"],
  ]) {
    const { code, out, err } = handfast([...args, "--state", join(base, "s"), "--port", "0", "--interface", "lo"]);
    assert.equal(code, 2, err);
    assert.match(err, /so that they land in no log/);
    assert.doesNotMatch(out + err, /HF1:|[A-Z]( [A-Z]){4}/);
  }
});

test("a folder that does not exist is named", (t) => {
  const { base } = new TwoDevices(t);
  for (const command of ["share", "join"]) {
    const { code, err } = handfast([command, join(base, "nowhere"), "--state", join(base, "s")]);
    assert.equal(code, 2);
    assert.match(err, /There is no folder .*nowhere/);
  }
});

test("a folder that holds the state is refused: its keys would travel", (t) => {
  const { base, laptopFolder } = new TwoDevices(t);
  symlinkSync(laptopFolder, join(base, "link"));
  for (const state of [laptopFolder, join(laptopFolder, "deep", "state"), join(base, "link", "state")])
    for (const command of ["share", "join"]) {
      const { code, err } = handfast([command, laptopFolder, "--state", state]);
      assert.equal(code, 2, err);
      assert.match(err, /secret keys/);
    }
  assert.deepEqual(
    readdirSync(laptopFolder).filter((name) => name !== ".handfast"),
    [],
  );
});

describe("the command line in use", { concurrency: 4 }, () => {
  test("nobody found: exit 3 and what to try", async (t) => {
    const devices = new TwoDevices(t);
    const laptop = devices.join("--to", "nobody at all", "--wait", "1");
    assert.equal(await laptop.ended, 3);
    const { code, message } = await laptop.next("error");
    assert.equal(code, "NOBODY_FOUND");
    assert.match(message, /handfast share.*--peer/s);
  });

  test("a state directory in use says by which process", async (t) => {
    const devices = new TwoDevices(t);
    await devices.share();
    const second = devices.run("pc", ["share", devices.pcFolder, "--port", "0"]);
    assert.equal(await second.ended, 1);
    const { code, message } = await second.next("error");
    assert.equal(code, "STATE_IN_USE");
    assert.match(message, /process \d+/);
  });

  test("status and find beside a running share", async (t) => {
    const devices = new TwoDevices(t);
    await devices.share();
    const status = devices.run("pc", ["status"]);
    const { running } = (await status.next("status")) as unknown as { running: { role: string; folder: string } };
    assert.deepEqual([running.role, running.folder], ["share", devices.pcFolder]);
    const find = devices.run("laptop", ["find", "--seconds", "2"]);
    await find.next("found", ({ name, pairing }) => name === devices.pcName && pairing);
    assert.equal(await find.ended, 0);
  });

  test("Ctrl-C while looking: exit 130", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--peer", peer);
    await laptop.next("pairing");
    assert.equal(await laptop.kill("SIGINT"), 130);
    assert.equal((await pc.next("pairing-failed")).code, "PAIRING_CANCELLED");
  });
});
