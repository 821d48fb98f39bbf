import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sayYes, TwoDevices } from "./devices.js";

describe("what people and devices refuse", { concurrency: 4 }, () => {
  for (const refuses of ["pc", "laptop"] as const)
    test(`no on the ${refuses}: exit 5, nothing stored, and the next join succeeds`, async (t) => {
      const devices = new TwoDevices(t);
      const { pc, peer } = await devices.share();
      const laptop = devices.join("--once", "--peer", peer);
      await Promise.all([pc.next("pairing"), laptop.next("pairing")]);
      (refuses === "pc" ? laptop : pc).answer(true);
      (refuses === "pc" ? pc : laptop).answer(false);
      assert.equal(await laptop.ended, 5);
      assert.equal((await laptop.next("error")).code, "DIGITS_REFUSED");
      assert.equal((await pc.next("pairing-failed")).code, "DIGITS_REFUSED");
      assert.equal(await devices.bonds("laptop"), 0);
      assert.equal(await devices.bonds("pc"), 0);
      const again = devices.join("--once", "--peer", peer);
      await sayYes(pc, again);
      assert.equal(await again.ended, 0);
    });

  test("Ctrl-C while the question is open is no refusal: the other side reads that pairing was cancelled", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--once", "--peer", peer);
    await Promise.all([pc.next("pairing"), laptop.next("pairing")]);
    assert.equal(await pc.kill("SIGINT"), 130);
    assert.equal(await laptop.ended, 4);
    assert.equal((await laptop.next("error")).code, "PAIRING_CANCELLED");
  });

  test("the end of input means no, on either side", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--once", "--peer", peer);
    await Promise.all([pc.next("pairing"), laptop.next("pairing")]);
    laptop.endInput();
    assert.equal(await laptop.ended, 5);
    await pc.next("pairing-failed");
    pc.endInput();
    const again = devices.join("--once", "--peer", peer);
    await again.next("pairing");
    again.answer(true);
    assert.equal(await again.ended, 5);
  });

  test("three refusals lock, and a restart does not unlock; only --pair does", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share();
    for (let i = 0; i < 3; i++) {
      const laptop = devices.join("--once", "--peer", peer);
      await laptop.next("pairing");
      laptop.answer(false);
      assert.equal(await laptop.ended, 5);
    }
    assert.equal((await pc.next("pairing-closed")).reason, "tooManyTries");
    const fourth = devices.join("--once", "--peer", peer);
    assert.equal(await fourth.ended, 6);
    assert.equal(fourth.count("pairing"), 0);
    assert.equal(await pc.kill("SIGINT"), 130);
    const restarted = devices.run("pc", ["share", devices.pcFolder, "--port", "0"]);
    assert.equal(await restarted.ended, 6);
    const { pc: opened } = await devices.share("--pair", "60");
    assert.equal((await opened.next("pairing-open")).seconds, 60);
  });

  test("a forgotten device is cut off at once, and told so when it comes back", async (t) => {
    const devices = new TwoDevices(t);
    devices.write("a.txt", "one");
    const { pc, peer } = await devices.share();
    const laptop = devices.join("--peer", peer);
    await sayYes(pc, laptop);
    await laptop.next("synced");
    const forget = devices.run("pc", ["forget", "Laptop"]);
    assert.equal((await forget.next("forgotten")).name, "Laptop");
    assert.equal(await forget.ended, 0);
    // The running join is cut off, tries again by itself, and is told.
    assert.equal(await laptop.ended, 4);
    const again = devices.join("--once", "--peer", peer);
    assert.equal(await again.ended, 4);
    assert.equal((await again.next("error")).code, "PEER_FORGOT_US");
    assert.equal(await devices.bonds("pc"), 0);
    assert.equal(await pc.kill("SIGINT"), 130);
    const alone = devices.join("--once", "--wait", "1");
    assert.equal(await alone.ended, 3);
    assert.equal((await alone.next("error")).code, "NOT_REACHABLE");
  });
});
