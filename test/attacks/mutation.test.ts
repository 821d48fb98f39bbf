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
enableMutants(twins.flatMap((twin) => [plain(twin), mutated(twin)]));

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
