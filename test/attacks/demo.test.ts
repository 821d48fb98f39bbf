import assert from "node:assert/strict";
import { test } from "node:test";
import { demoMitm } from "#cli/mitm/demoMitm.node.js";

test("row 6: the demonstration with three processes: a look-alike falls within a second, Handfast does not", async () => {
  let told = "";
  const results = await demoMitm({
    write: (text) => {
      told += text;
    },
  });
  const [lookAlike, honest, search] = results;
  assert.equal(lookAlike?.phone, lookAlike?.pc);
  assert.ok(lookAlike?.searchMs !== undefined);
  assert.ok(honest?.phone !== undefined && honest.phone !== honest.pc);
  assert.equal(search?.phone, undefined);
  assert.equal(search?.refused?.code, "POSSIBLE_ATTACK");
  assert.match(told, /The digits agree\./);
  assert.match(told, /The digits differ\./);
});
