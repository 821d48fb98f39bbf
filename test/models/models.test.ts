import assert from "node:assert/strict";
import { test } from "node:test";
import { enableMutants } from "../attacks/mutants.js";
import { twins } from "../attacks/pairingMutants.js";
import { type Row, runModels } from "./run.js";

enableMutants(twins);
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
