import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { enableMutants } from "../attacks/mutants.js";
import { twins } from "../attacks/pairingMutants.js";
import { modelMutants, pairable, type Row, runModels, tableOf } from "./run.js";
import { TABLE_BEGIN, TABLE_END, TABLE_FILE } from "./table.js";

enableMutants(modelMutants(twins));
const rows: readonly Row[] = await runModels(twins);

test("the models hold as specified, and each of their broken variants is found broken", () => {
  for (const { model, variant, verdict, shouldHold } of rows)
    assert.equal(
      verdict.broken === undefined,
      shouldHold,
      `${model}, ${variant}: ${verdict.broken ?? "nothing was found"} (${verdict.trace?.join("; ")})`,
    );
  for (const model of new Set(rows.map((row) => row.model))) {
    const of = rows.filter((row) => row.model === model);
    assert.ok(of.some(({ shouldHold }) => shouldHold) && of.some(({ shouldHold }) => !shouldHold), model);
  }
});

test("the searches are not empty: two people who chose the same way can pair, and two who did not cannot", async () => {
  for (const { scenario, pairs } of await pairable())
    assert.equal(pairs, scenario.pcWay === scenario.clientWay, JSON.stringify(scenario));
});

test("the table in PROTOCOL.md is what the models say today (npx tsc -b && node dist/tools/modelTable.js writes it)", () => {
  const text = readFileSync(TABLE_FILE, "utf8");
  const [, rest = ""] = text.split(TABLE_BEGIN);
  const [written = ""] = rest.split(TABLE_END);
  assert.equal(written.trim(), tableOf(rows));
});
