import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { FileBondStore } from "#bonds/fileStore.node.js";
import { bondFrom } from "#device/bondBook.js";
import { toHex } from "#kernel/bytes.js";
import { Stage } from "./stage.js";

test("row 31: another user's program cannot read the bonds, and one that made them readable is noticed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "handfast-row31-"));
  try {
    const state = join(directory, "state");
    const stage = new Stage({ seed: 31 });
    const options = { directory: state, random: stage.world.random.bytes };
    const store = await FileBondStore.open(options);
    stage.world.run();
    const [peer] = stage.world.pcBonds;
    assert.ok(peer);
    await store.put(bondFrom(peer, 1));
    assert.equal(statSync(state).mode & 0o077, 0);
    for (const file of readdirSync(state)) assert.equal(statSync(join(state, file)).mode & 0o077, 0, file);
    // What a log or a crash report would show of a bond.
    const shown = `${inspect(store.bonds(), { depth: 9 })} ${JSON.stringify(store.bonds())}`;
    for (const form of [toHex(peer.psk), Buffer.from(peer.psk).toString("base64"), String([...peer.psk.slice(0, 8)])])
      assert.ok(!shown.includes(form), "the secret is printed");
    await store.close();
    chmodSync(join(state, "bonds.json"), 0o644);
    await assert.rejects(FileBondStore.open(options), { code: "STATE_READABLE_BY_OTHERS" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
