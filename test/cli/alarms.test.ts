import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { contents, sayYes, TwoDevices } from "./devices.js";

describe("what a paired device is told when something is wrong", { concurrency: 2 }, () => {
  test("a copied state directory: the alarm on both sides, exit 7, and the share goes on for its owner", async (t) => {
    const devices = new TwoDevices(t);
    devices.write("a.txt", "one");
    const { pc, peer } = await devices.share();
    const first = devices.join("--once", "--peer", peer);
    await sayYes(pc, first);
    assert.equal(await first.ended, 0);
    const stolen = join(devices.base, "stolen");
    cpSync(devices.laptopState, stolen, { recursive: true });
    // Two connections later no secret of the copy is one that the PC takes (device/PROTOCOL.md §5).
    for (let i = 0; i < 2; i++) assert.equal(await devices.join("--once", "--peer", peer).ended, 0);

    const thief = devices.run("laptop", ["join", devices.laptopFolder, "--once", "--peer", peer], stolen);
    assert.equal(await thief.ended, 7);
    const there = await thief.next("error");
    assert.equal(there.code, "BOND_COPIED");
    assert.match(there.message, /holds a copy.*handfast forget/);
    assert.equal(thief.count("connected"), 0);
    const here = await pc.next("error");
    assert.equal(here.code, "BOND_COPIED");
    assert.match(here.message, /Laptop.*handfast share <folder> --pair/);

    devices.write("b.txt", "two");
    assert.equal(await devices.join("--once", "--peer", peer).ended, 0);
    assert.deepEqual(contents(devices.pcFolder), contents(devices.laptopFolder));
  });

  test("another device where the PC was: exit 7 and not a word about forgetting; forgotten by the PC: exit 4", async (t) => {
    const devices = new TwoDevices(t);
    devices.write("a.txt", "one");
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--once", "--peer", peer);
    await sayYes(pc, laptop);
    assert.equal(await laptop.ended, 0);
    assert.equal(await pc.kill("SIGINT"), 130);
    // The PC is installed anew: same name, same port, another key.
    const kept = join(devices.base, "kept");
    cpSync(devices.pcState, kept, { recursive: true });
    rmSync(devices.pcState, { recursive: true });
    const port = peer.split(":")[1] ?? "";
    const { pc: other } = await devices.share("--port", port);
    const changed = devices.join("--once", "--wait", "3");
    assert.equal(await changed.ended, 7);
    const { code, message } = await changed.next("error");
    assert.equal(code, "IDENTITY_CHANGED");
    assert.match(message, /another identity.*Only if you know why: handfast forget/);
    assert.equal(await devices.bonds("laptop"), 1);
    assert.equal(await other.kill("SIGINT"), 130);

    rmSync(devices.pcState, { recursive: true });
    cpSync(kept, devices.pcState, { recursive: true });
    assert.equal(await devices.run("pc", ["forget", "Laptop"]).ended, 0);
    await devices.share("--port", port);
    const forgotten = devices.join("--once", "--peer", peer);
    assert.equal(await forgotten.ended, 4);
    const told = await forgotten.next("error");
    assert.equal(told.code, "PEER_FORGOT_US");
    assert.match(told.message, /handfast forget <device>.*there: handfast share <folder> --pair/);
  });
});
