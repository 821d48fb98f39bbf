import assert from "node:assert/strict";
import { test } from "node:test";
import { enableMutants, loadMutated, type Mutant } from "./mutants.js";
import { type Twin, twins } from "./pairingMutants.js";
import type { Outcome } from "./stage.js";

// pairing.md f.4: each check has an attack that fails against the product and succeeds once the check is taken out.

type Attack = (seed: number) => Outcome | Promise<Outcome>;

const SEEDS = [1, 2];
const plain = (twin: Twin): Mutant => ({ id: `${twin.id}-with`, without: "nothing", edits: twin.weakened ?? [] });
const mutated = (twin: Twin): Mutant => ({ ...twin, edits: [...(twin.weakened ?? []), ...twin.edits] });
const fixedDigits: Mutant = {
  id: "fixed-digits",
  without: "digits that depend on anything",
  edits: [
    { file: "src/pairing/toolbox.js", find: "return String(value % 1_000_000)", replace: "return String(472915)" },
  ],
};
enableMutants([fixedDigits, ...twins.flatMap((twin) => [plain(twin), mutated(twin)])]);

test("row 29: the digits are part of no key: with other digits on the screens the bond's secret is the same", async () => {
  const path = "./stories/betweenTheScreens.js";
  const real = (await import(path)) as Record<string, Attack>;
  const fixed = await loadMutated<Record<string, Attack>>(path, fixedDigits);
  const secrets = [await real["secretOf"]?.(29), await fixed["secretOf"]?.(29)].map((outcome) => outcome?.why);
  assert.match(secrets[0] ?? "", /^[0-9a-f]{64}$/);
  assert.equal(secrets[0], secrets[1]);
});

for (const twin of twins) {
  const [file, name] = twin.story;
  test(`without ${twin.without} the attack ${name} succeeds, with it it fails (${twin.id})`, async () => {
    const path = `./stories/${file}.js`;
    const real = (twin.weakened ? await loadMutated(path, plain(twin)) : await import(path)) as Record<string, Attack>;
    const broken = await loadMutated<Record<string, Attack>>(path, mutated(twin));
    for (const seed of SEEDS) {
      const held = await real[name]?.(seed);
      assert.equal(held?.succeeded, false, `seed ${seed}: the product fell: ${held?.why}`);
      const fell = await broken[name]?.(seed);
      assert.equal(fell?.succeeded, true, `seed ${seed}: the attack fails without the check as well: ${fell?.why}`);
    }
  });
}
