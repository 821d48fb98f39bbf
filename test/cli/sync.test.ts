import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { contents, sayYes, TwoDevices } from "./devices.js";

describe("two processes keep a folder", { concurrency: 4 }, () => {
  test("two processes find each other, show the same digits and sync; the second time nobody is asked", async (t) => {
    const devices = new TwoDevices(t);
    devices.write("a.txt", "one");
    devices.write("deep/down/b.bin", randomBytes(300_000));
    const { pc } = await devices.share();
    const laptop = devices.join("--once", "--to", devices.pcName);
    const found = await laptop.next("found");
    assert.equal(found.name, devices.pcName);
    const [there, here] = await sayYes(pc, laptop);
    assert.match(here, /^\d{6}$/);
    assert.equal(there, here);
    const [atPc, atLaptop] = await Promise.all([pc.next("paired"), laptop.next("paired")]);
    assert.equal(atPc.name, "Laptop");
    assert.equal(atLaptop.name, devices.pcName);
    assert.equal((await laptop.next("connected")).device, atLaptop.device);
    assert.equal((await pc.next("connected")).device, atPc.device);
    const first = await laptop.next("synced");
    assert.deepEqual([first.files, first.bytes, first.sent], [2, 300_003, 2]);
    assert.equal((await pc.next("synced")).received, 2);
    assert.equal(await laptop.ended, 0);
    assert.deepEqual(contents(devices.pcFolder), contents(devices.laptopFolder));
    assert.deepEqual(readdirSync(devices.laptopFolder).sort(), [".handfast", "a.txt", "deep"]);
    assert.equal(statSync(devices.laptopState).mode & 0o777, 0o700);

    const again = devices.join("--once");
    assert.equal(await again.ended, 0);
    assert.equal(again.count("pairing") + again.count("paired"), 0);
    assert.equal((await again.next("synced")).sent, 0);
    assert.equal(pc.count("pairing"), 1);
  });

  test("a changed file arrives by itself; Ctrl-C ends both in order and leaves the state usable", async (t) => {
    const devices = new TwoDevices(t);
    devices.write("a.txt", "one");
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--peer", peer);
    await sayYes(pc, laptop);
    await laptop.next("synced");
    devices.write("a.txt", "changed");
    await pc.next("file");
    await pc.next("file", ({ path, direction }) => path === "a.txt" && direction === "received");
    assert.equal(contents(devices.pcFolder).get("a.txt"), Buffer.from("changed").toString("base64"));
    assert.equal(await laptop.kill("SIGINT"), 130);
    assert.equal((await pc.next("disconnected")).reason, "");
    assert.equal(pc.count("error"), 0);
    assert.equal(await pc.kill("SIGTERM"), 143);
    assert.equal(await devices.bonds("pc"), 1);
    assert.equal(await devices.bonds("laptop"), 1);
  });

  test("killed in the middle, the next join completes", async (t) => {
    const devices = new TwoDevices(t);
    for (let i = 0; i < 60; i++) devices.write(`f${i}`, randomBytes(200_000));
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--peer", peer);
    await sayYes(pc, laptop);
    await pc.next("file");
    assert.equal(await laptop.kill("SIGKILL"), "SIGKILL");
    const again = devices.join("--once", "--peer", peer);
    assert.equal(await again.ended, 0);
    assert.deepEqual(contents(devices.pcFolder), contents(devices.laptopFolder));
  });

  test("noble alone on one side: the same protocol", async (t) => {
    const devices = new TwoDevices(t);
    devices.write("a.txt", "one");
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--once", "--peer", peer, "--crypto", "noble");
    await sayYes(pc, laptop);
    assert.equal(await laptop.ended, 0);
    assert.deepEqual(contents(devices.pcFolder), contents(devices.laptopFolder));
  });

  test("three laptops at once, each its own device", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share();
    const laptops = [];
    for (let i = 0; i < 3; i++) {
      const folder = join(devices.base, `laptop ${i}`);
      mkdirSync(folder);
      writeFileSync(join(folder, `from ${i}.txt`), `laptop ${i}`);
      const laptop = devices.run("laptop", ["join", folder, "--peer", peer], join(devices.base, `state ${i}`));
      if (i > 0) await devices.run("pc", ["pair"]).ended;
      laptops.push(laptop);
      await sayYes(pc, laptop);
      await laptop.next("synced");
    }
    assert.deepEqual([...contents(devices.pcFolder).keys()], ["from 0.txt", "from 1.txt", "from 2.txt"]);
    assert.equal(new Set(pc.events.filter((e) => e.event === "connected").map((e) => e.device)).size, 3);
    assert.deepEqual(await Promise.all(laptops.map((each) => each.kill("SIGINT"))), [130, 130, 130]);
  });

  test("the other way: receive takes what the PC has", async (t) => {
    const devices = new TwoDevices(t);
    writeFileSync(join(devices.pcFolder, "from the pc.txt"), "pc");
    const { pc, peer } = await devices.share();
    const receiving = devices.join("--once", "--peer", peer, "--mode", "receive");
    await sayYes(pc, receiving);
    assert.equal(await receiving.ended, 0);
    assert.equal((await receiving.next("synced")).received, 1);
    assert.deepEqual(contents(devices.laptopFolder), contents(devices.pcFolder));
  });

  test("both ways at once: --once ends when each side has what the other had", async (t) => {
    const devices = new TwoDevices(t);
    devices.write("from the laptop.txt", "laptop");
    for (let i = 0; i < 20; i++) writeFileSync(join(devices.pcFolder, `from the pc ${i}.bin`), randomBytes(100_000));
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--once", "--peer", peer, "--mode", "both");
    await sayYes(pc, laptop);
    assert.equal(await laptop.ended, 0);
    const { files, sent, received } = await laptop.next("synced");
    assert.deepEqual([files, sent, received], [21, 1, 20]);
    assert.deepEqual(contents(devices.laptopFolder), contents(devices.pcFolder));
  });
});
