import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createClient } from "handfast/node";
import { sayYes, TwoDevices } from "./devices.js";

/** Letters that are none of these five. */
function otherThan(letters: string): string {
  return (letters[0] === "B" ? "C" : "B") + letters.slice(1);
}

describe("the ways to pair", { concurrency: 5 }, () => {
  test("letters: shown on the PC only, typed on the client, confirmed on the PC; wrong ones end with 5 and are replaced", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share("--code");
    assert.equal((await pc.next("pairing-open")).method, "code");
    const { letters } = await pc.next("pairing-code");
    assert.match(letters, /^[B-DF-HJ-NP-T]{5}$/);
    const wrong = devices.join("--once", "--code", "--peer", peer);
    assert.equal((await wrong.next("code-wanted")).peer, devices.pcName);
    wrong.type("123456");
    assert.equal((await wrong.next("code-wanted", ({ again }) => again)).again, true);
    wrong.type(otherThan(letters));
    assert.equal(await wrong.ended, 5);
    const { code, message } = await wrong.next("error");
    assert.equal(code, "WRONG_CODE");
    assert.match(message, /replaced/);
    assert.equal((await pc.next("pairing-failed")).code, "WRONG_CODE");
    assert.equal(pc.count("pairing-approval"), 0);
    const renewed = await pc.next("pairing-code");
    assert.notEqual(renewed.letters, letters);

    const laptop = devices.join("--once", "--code", "--peer", peer);
    await laptop.next("code-wanted");
    laptop.type(renewed.letters.toLowerCase());
    const asked = await pc.next("pairing-approval");
    assert.deepEqual([asked.method, asked.peer, asked.resembles], ["code", "Laptop", null]);
    pc.answer(true);
    assert.equal(await laptop.ended, 0);
    assert.equal((await pc.next("pairing-closed")).reason, "success");
    assert.equal(laptop.count("pairing") + pc.count("pairing"), 0);
    assert.ok(!laptop.written.includes(renewed.letters));
  });

  test("a link from standard input: beside a running share, with no on the PC, then used up, then a new one", async (t) => {
    const devices = new TwoDevices(t);
    const { pc } = await devices.share();
    const open = devices.run("pc", ["pair", "--qr"]);
    assert.equal((await open.next("pairing-open")).method, "link");
    assert.equal(await open.ended, 0);
    const { link } = await pc.next("pairing-link");
    assert.ok(!open.written.includes(link));
    const joinBy = (text: string): ReturnType<TwoDevices["join"]> => {
      const laptop = devices.join("--once", "--link", "-");
      laptop.type(text);
      return laptop;
    };
    const refused = joinBy(link);
    assert.equal((await pc.next("pairing-approval")).method, "link");
    pc.answer(false);
    assert.equal(await refused.ended, 5);
    const second = await pc.next("pairing-link");
    const late = joinBy(link);
    assert.equal(await late.ended, 4);
    assert.equal((await late.next("error")).code, "LINK_EXPIRED");
    const laptop = joinBy(second.link);
    await pc.next("pairing-approval");
    pc.answer(true);
    assert.equal(await laptop.ended, 0);
    for (const each of [refused, late, laptop])
      for (const shown of [link, second.link]) assert.ok(!each.written.includes(shown.slice(4)));
  });

  test("pair alone: --qr on the PC, HANDFAST_LINK on the client, and both end with 0", async (t) => {
    const devices = new TwoDevices(t);
    const pc = devices.run("pc", ["pair", "--qr", "--name", devices.pcName, "--port", "0"]);
    const { link } = await pc.next("pairing-link");
    const laptop = devices.run("laptop", ["pair"], undefined, { HANDFAST_LINK: link });
    await pc.next("pairing-approval");
    pc.answer(true);
    assert.deepEqual(await Promise.all([pc.ended, laptop.ended]), [0, 0]);
    assert.equal((await pc.next("paired")).name.length > 0, true);
    assert.equal(await devices.bonds("pc"), 1);
    assert.equal(await devices.bonds("laptop"), 1);
  });

  test("two different choices: said on the client, nothing shown that could be typed elsewhere", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share("--code");
    const laptop = devices.join("--once", "--peer", peer);
    assert.equal(await laptop.ended, 2);
    assert.equal((await laptop.next("error")).code, "OTHER_METHOD");
    assert.equal(laptop.count("pairing") + laptop.count("code-wanted"), 0);
    assert.equal(pc.count("pairing") + pc.count("pairing-approval"), 0);
  });

  test("the end of input instead of letters cancels; text that is no link is refused before anything is sent", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share("--code");
    const silent = devices.join("--once", "--code", "--peer", peer);
    await silent.next("code-wanted");
    silent.endInput();
    assert.equal(await silent.ended, 4);
    assert.equal((await silent.next("error")).code, "PAIRING_CANCELLED");
    for (const text of ["HF1:NOLINK", ""]) {
      const wrong = devices.join("--once", "--link", text);
      assert.equal(await wrong.ended, 2);
      const { code, message } = await wrong.next("error");
      assert.equal(code, "BAD_LINK");
      assert.ok(!message.includes("NOLINK"));
    }
    assert.equal(pc.count("pairing-approval"), 0);
  });

  test("nobody came: pair --open ends with 8; three wrong codes end it with 6", async (t) => {
    const devices = new TwoDevices(t);
    const lonely = devices.run("pc", ["pair", "--open", "1", "--port", "0"]);
    assert.equal(await lonely.ended, 8);
    const pc = devices.run("pc", ["pair", "--open", "--code", "--port", "0"]);
    const { port } = await pc.next("listening");
    await using client = await createClient({ name: "Laptop", store: devices.laptopState, interfaces: ["lo"] });
    for (let i = 0; i < 3; i++) {
      const { letters } = await pc.next("pairing-code");
      const pairing = client.pair(client.at(`127.0.0.1:${port}`), { enterCode: async () => otherThan(letters) });
      await assert.rejects(pairing, { code: "WRONG_CODE" });
    }
    assert.equal(await pc.ended, 6);
    assert.equal((await pc.next("error")).code, "TOO_MANY_TRIES");
  });

  test("a PC with several addresses: the one that answers counts", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share();
    await using client = await createClient({ name: "Laptop", store: devices.laptopState, interfaces: ["lo"] });
    const [real] = client.at(peer).addresses;
    assert.ok(real);
    const silent = ["127.0.0.9", "127.0.0.8"].map((host) => ({ host, port: real.port }));
    const pairing = client.pair({ name: undefined, addresses: [...silent, real] }, { compare: async () => true });
    await pc.next("pairing");
    pc.answer(true);
    assert.equal((await pairing).name, devices.pcName);
  });

  test("a name that looks like that of a paired device is pointed out to the PC's person", async (t) => {
    const devices = new TwoDevices(t);
    const { pc, peer } = await devices.share();
    const first = devices.run("laptop", ["pair", "--peer", peer, "--name", "Laptop"]);
    await sayYes(pc, first);
    assert.equal(await first.ended, 0);
    await devices.run("pc", ["pair", "--code"]).ended;
    const { letters } = await pc.next("pairing-code");
    const second = devices.run(
      "laptop",
      ["pair", "--code", "--peer", peer, "--name", "LAPTOP"],
      join(devices.base, "2"),
    );
    assert.equal((await second.next("code-wanted")).resembles, null);
    second.type(letters);
    assert.equal((await pc.next("pairing-approval")).resembles, "Laptop");
    pc.answer(false);
    assert.equal(await second.ended, 5);
  });
});
