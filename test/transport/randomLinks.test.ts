import assert from "node:assert/strict";
import { test } from "node:test";
import { RANDOM_LINKS, randomTraits, type Trait } from "../support/randomLinks.js";
import { playOrShrink } from "../support/shrink.js";

// A few dozen, with a quarter of the bytes; test/soak crosses a thousand and writes the table in PROTOCOL.md. SEED, SEEDS, FROM: simulation/seeds.ts.
for (const { name, check, run } of RANDOM_LINKS)
  test(`${name}: ${check}`, async (context) => {
    context.diagnostic(await run(0.25));
  });

test("a link that fails is told by its seed and the traits that it takes for that, and no others", async () => {
  const seed = Array.from({ length: 100 }, (_, i) => i + 1).find((one) => randomTraits(one).length >= 7) ?? 0;
  const traits = randomTraits(seed);
  const [first, last] = [traits[1], traits.at(-2)];
  assert.ok(first && last);
  const fails = async (left: readonly Trait[]): Promise<void> => {
    if (left.includes(first) && left.includes(last)) throw new Error(`nothing for ${left.length} s`);
  };
  await assert.rejects(playOrShrink(seed, traits, fails), {
    message: `seed ${seed}: nothing for ${traits.length} s\n${JSON.stringify(first)}\n${JSON.stringify(last)}`,
  });
});
