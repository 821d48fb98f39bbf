import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../simulation/seededRandom.js";
import { fuzz, readCorpus } from "../support/fuzz.js";
import { FUZZ_TARGETS } from "../support/fuzzTargets.js";

const CASES: Readonly<Record<string, number>> = { connection: 500 };

// The saved corpus, and a short walk from it. test/soak walks further and saves what it finds.
for (const [target, make] of Object.entries(FUZZ_TARGETS))
  test(`${target}: the corpus and its neighbours are survived`, () => {
    const corpus = readCorpus(target);
    assert.ok(corpus.length > 0);
    fuzz(corpus, make(), CASES[target] ?? 5_000, new SeededRandom(1));
  });
