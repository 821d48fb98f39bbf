import process from "node:process";
import { test } from "node:test";
import { SeededRandom } from "../simulation/seededRandom.js";
import { fuzz, readCorpus, saveCorpus } from "../support/fuzz.js";
import { FUZZ_SEEDS, FUZZ_TARGETS } from "../support/fuzzTargets.js";

// CASES=<n> for each target (a connection gets a tenth, it is the slow one), SEED=<n> for another walk.
const cases = Number(process.env["CASES"] ?? 200_000);
const seed = Number(process.env["SEED"] ?? Date.now());

for (const [target, make] of Object.entries(FUZZ_TARGETS))
  test(`${target}: ${cases} mutations, seed ${seed}`, () => {
    const walk = target === "connection" ? cases / 10 : cases;
    saveCorpus(
      target,
      fuzz([...readCorpus(target), ...(FUZZ_SEEDS[target] ?? [])], make(), walk, new SeededRandom(seed)),
    );
  });
