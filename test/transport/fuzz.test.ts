import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../simulation/seededRandom.js";
import { walkDatagrams } from "../support/datagramWalk.js";
import { fuzz, readCorpus } from "../support/fuzz.js";
import { FUZZ_SEEDS, FUZZ_TARGETS } from "../support/fuzzTargets.js";
import { STATES } from "../support/hostileStates.js";

// The saved corpus, and a short walk from it: no crash, a counted drop or an answer no larger than the question, and the sessions
// live on. test/soak walks further and saves what it finds.
/** A story of renewals costs milliseconds. */
const CASES: Readonly<Record<string, number>> = { rekeying: 50 };

for (const [target, make] of Object.entries(FUZZ_TARGETS))
  test(`${target}: the corpus and its neighbours are survived`, () => {
    const corpus = readCorpus(target);
    assert.ok(corpus.length > 0);
    fuzz([...corpus, ...(FUZZ_SEEDS[target] ?? [])], make(), CASES[target] ?? 3_000, new SeededRandom(1));
  });

for (const state of Object.keys(STATES))
  test(`datagrams of the corpus, and their neighbours, while ${state}`, async () => {
    const corpus = readCorpus(`datagrams, ${state}`);
    assert.ok(corpus.length > 0);
    await walkDatagrams(state, 5_000, new SeededRandom(1), corpus);
  });
