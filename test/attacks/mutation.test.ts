import assert from "node:assert/strict";
import { test } from "node:test";
import { loadMutated, type Mutant } from "./mutants.js";
import { twins } from "./pairingMutants.js";
import { type Attack, testTwins } from "./twins.js";

// pairing.md f.4: each check has an attack that fails against the product and succeeds once the check is taken out.

const fixedDigits: Mutant = {
  id: "fixed-digits",
  without: "digits that depend on anything",
  edits: [
    { file: "src/pairing/toolbox.js", find: "return String(value % 1_000_000)", replace: "return String(472915)" },
  ],
};
testTwins(twins, [fixedDigits]);

test("row 29: the digits are part of no key: with other digits on the screens the bond's secret is the same", async () => {
  const path = "./stories/betweenTheScreens.js";
  const real = (await import(path)) as Record<string, Attack>;
  const fixed = await loadMutated<Record<string, Attack>>(path, fixedDigits);
  const secrets = [await real["secretOf"]?.(29), await fixed["secretOf"]?.(29)].map((outcome) => outcome?.why);
  assert.match(secrets[0] ?? "", /^[0-9a-f]{64}$/);
  assert.equal(secrets[0], secrets[1]);
});
