import assert from "node:assert/strict";
import { test } from "node:test";
import { type Edit, enableMutants, loadMutated, type Mutant } from "./mutants.js";
import type { Outcome } from "./stage.js";

/** A check of the product, taken out, and the attack that must then succeed. */
export interface Twin extends Mutant {
  /** A file of test/attacks/stories and the name of the attack in it. */
  readonly story: readonly [file: string, attack: string];
  /** Applied to the product in both runs, to make the attack small enough for a test. */
  readonly weakened?: readonly Edit[];
}

export type Attack = (seed: number) => Outcome | Promise<Outcome>;

const SEEDS = [1, 2];
const plain = (twin: Twin): Mutant => ({ id: `${twin.id}-with`, without: "nothing", edits: twin.weakened ?? [] });
const mutated = (twin: Twin): Mutant => ({ ...twin, edits: [...(twin.weakened ?? []), ...twin.edits] });

/** One test for each: with the check the attack fails, without it the attack succeeds. Once per process. */
export function testTwins(twins: readonly Twin[], others: readonly Mutant[] = []): void {
  enableMutants([...others, ...twins.flatMap((twin) => [plain(twin), mutated(twin)])]);
  for (const twin of twins) {
    const [file, name] = twin.story;
    test(`without ${twin.without} the attack ${name} succeeds, with it it fails (${twin.id})`, async () => {
      const path = `./stories/${file}.js`;
      const real = (twin.weakened ? await loadMutated(path, plain(twin)) : await import(path)) as Record<
        string,
        Attack
      >;
      const broken = await loadMutated<Record<string, Attack>>(path, mutated(twin));
      for (const seed of SEEDS) {
        const held = await real[name]?.(seed);
        assert.equal(held?.succeeded, false, `seed ${seed}: the product fell: ${held?.why}`);
        const fell = await broken[name]?.(seed);
        assert.equal(fell?.succeeded, true, `seed ${seed}: the attack fails without the check as well: ${fell?.why}`);
      }
    });
  }
}
