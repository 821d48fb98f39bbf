import process from "node:process";

/**
 * Runs a story for `count` seeds. A failure names its seed; SEED=<n> in the environment replays only that one,
 * SEEDS=<n> runs more of them, FROM=<n> starts later.
 */
export async function withSeeds(count: number, story: (seed: number) => Promise<void> | void): Promise<void> {
  const only = process.env["SEED"];
  const from = only !== undefined ? Number(only) : Number(process.env["FROM"] ?? 1);
  const many = only !== undefined ? 1 : Number(process.env["SEEDS"] ?? count);
  for (let seed = from; seed < from + many; seed++) {
    try {
      await story(seed);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`seed ${seed} fails (replay with SEED=${seed}): ${why}`, { cause: error });
    }
  }
}
