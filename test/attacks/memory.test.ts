import assert from "node:assert/strict";
import { test } from "node:test";
import { type Edit, enableMutants, loadMutated, type Mutant } from "./mutants.js";
import type { Outcome } from "./stage.js";
import type * as stories from "./stories/memory.js";

// transport/PROTOCOL.md §7: bonded devices that are hostile make their server hold bytes. Each check has an attack that it stops.

const STORY = "./stories/memory.js";
const memory = (find: string, replace: string): Edit => ({ file: "transport/memory.js", find, replace });

interface Twin extends Mutant {
  readonly story: keyof typeof stories;
}

const twins: readonly Twin[] = [
  {
    id: "memory-unchecked",
    without: "asking whether there is memory for a frame",
    edits: [memory("return this.#balance.held + bytes <= this.pool.free;", "return true;")],
    story: "usingAllCredit",
  },
  {
    id: "memory-of-credit-only",
    without: "counting what pieces cost beside their bytes",
    edits: [
      {
        file: "transport/pieces.js",
        find: "return piece.buffer.byteLength + PIECE_COST;",
        replace: "return piece.length;",
      },
      { file: "transport/reassembly.js", find: "const RUN_COST = 256;", replace: "const RUN_COST = 0;" },
    ],
    story: "everySecondByte",
  },
  {
    id: "datagrams-uncounted",
    without: "a limit to the number of datagrams",
    edits: [
      { file: "transport/datagramQueue.js", find: "this.#queue.length > MAX_COUNT", replace: "false" },
      { file: "transport/datagramQueue.js", find: "const ENTRY_COST = 128;", replace: "const ENTRY_COST = 0;" },
    ],
    story: "emptyDatagrams",
  },
  {
    id: "memory-unfair",
    without: "leaving as much as one holds to others",
    edits: [memory("return this.#balance.held + bytes <= this.pool.free;", "return bytes <= this.pool.free;")],
    story: "greedyNeighbours",
  },
];
enableMutants(twins);

for (const twin of twins)
  test(`without ${twin.without} the attack ${twin.story} succeeds, with it it fails (${twin.id})`, async () => {
    const seed = 1;
    const real = (await import(STORY)) as Record<string, (seed: number) => Outcome | Promise<Outcome>>;
    const broken = await loadMutated<typeof real>(STORY, twin);
    const held = await real[twin.story]?.(seed);
    assert.equal(held?.succeeded, false, `seed ${seed}: the product fell: ${held?.why}`);
    const fell = await broken[twin.story]?.(seed);
    assert.equal(fell?.succeeded, true, `seed ${seed}: the attack fails without the check as well: ${fell?.why}`);
  });
