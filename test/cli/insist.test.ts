import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FileBondStore } from "#bonds/fileStore.node.js";
import { systemRandom } from "#transport/clock.node.js";
import { sayYes, TwoDevices } from "./devices.js";

/** The PC's state as after so many failures in a row. */
async function failed(devices: TwoDevices, failures: number): Promise<void> {
  const store = await FileBondStore.open({ directory: devices.pcState, random: systemRandom });
  await store.saveAttempts({ failures, windows: failures });
  await store.close();
}

describe("after many failures", { concurrency: 3 }, () => {
  test("ten in a row: letters only after the whole word yes, alone and beside a running share", async (t) => {
    const devices = new TwoDevices(t);
    await failed(devices, 10);
    for (const answer of ["y", "no"]) {
      const refused = devices.run("pc", ["pair", "--open", "--code", "--port", "0"]);
      await refused.next("insist-wanted");
      refused.type(answer);
      assert.equal(await refused.ended, 6);
      const { code, message } = await refused.next("error");
      assert.equal(code, "INSIST_NEEDED");
      assert.match(message, /guessing/);
      assert.equal(refused.count("pairing-code") + refused.count("pairing-open"), 0);
    }
    const { pc } = await devices.share("--pair");
    const beside = devices.run("pc", ["pair", "--code"]);
    await beside.next("insist-wanted");
    beside.type("yes");
    assert.equal(await beside.ended, 0);
    assert.match((await pc.next("pairing-code")).letters, /^[A-Z]{5}$/);
    const silent = devices.run("pc", ["pair", "--code"]);
    await silent.next("insist-wanted");
    silent.endInput();
    assert.equal(await silent.ended, 6);
  });

  test("share --pair --code asks as well", async (t) => {
    const devices = new TwoDevices(t);
    await failed(devices, 10);
    const { pc } = await devices.share("--pair", "--code");
    await pc.next("insist-wanted");
    assert.equal(pc.count("pairing-code"), 0);
    pc.type("yes");
    await pc.next("pairing-code");
  });

  test("the client's person is told how long the PC takes no try, and then pairs", async (t) => {
    const devices = new TwoDevices(t);
    await failed(devices, 1);
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--once", "--peer", peer);
    const { seconds } = await laptop.next("pairing-wait");
    assert.ok(seconds === 1 || seconds === 2, `${seconds}`);
    await sayYes(pc, laptop);
    assert.equal(await laptop.ended, 0);
    assert.equal(laptop.count("pairing-wait"), 1);
    const { data } = JSON.parse(readFileSync(join(devices.pcState, "attempts.json"), "utf8")) as {
      data: { failures: number };
    };
    assert.equal(data.failures, 0);
  });
});
