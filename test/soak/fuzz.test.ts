import process from "node:process";
import { test } from "node:test";
import { SeededRandom } from "../simulation/seededRandom.js";
import { walkDatagrams } from "../support/datagramWalk.js";
import { fuzz, readCorpus, saveCorpus } from "../support/fuzz.js";
import { FUZZ_SEEDS, FUZZ_TARGETS } from "../support/fuzzTargets.js";
import { STATES } from "../support/hostileStates.js";

// SEED=<n> for another walk, CASES=<n> for a shorter or longer one: so many datagrams for each state of a channel; a fifth of
// it for each parser and each walk of frame sequences, a fiftieth of renewals of keys. 1,250,000 make the ten million datagrams and the million sequences.
const cases = Number(process.env["CASES"] ?? 1_250_000);
const seed = Number(process.env["SEED"] ?? Date.now());
const WALKS: Readonly<Record<string, number>> = { sequences: 4 };
/** What a case of these costs more than one of the others. */
const COST: Readonly<Record<string, number>> = { rekeying: 10 };

for (const [target, make] of Object.entries(FUZZ_TARGETS))
  for (let walk = 0; walk < (WALKS[target] ?? 1); walk++)
    test(`${target}: ${cases / 5 / (COST[target] ?? 1)} mutations, seed ${seed + walk}`, () => {
      const corpus = [...readCorpus(target), ...(FUZZ_SEEDS[target] ?? [])];
      saveCorpus(target, fuzz(corpus, make(), cases / 5 / (COST[target] ?? 1), new SeededRandom(seed + walk)));
    });

for (const state of Object.keys(STATES))
  test(`${cases} datagrams while ${state}, seed ${seed}`, async (context) => {
    const name = `datagrams, ${state}`;
    const walk = await walkDatagrams(state, cases, new SeededRandom(seed), readCorpus(name));
    context.diagnostic(`${walk.dropped} dropped and counted, ${walk.answered} answered`);
    saveCorpus(name, walk.kept);
  });
