import process from "node:process";
import { median } from "./figures.js";

/** CPU milliseconds that each side took. */
export interface Sides {
  readonly client: number;
  readonly server: number;
}

/** Counts what `work` costs for that side. */
export type Timed = <Result>(side: keyof Sides, work: () => Result) => Result;

/** Something that two sides do in turn in one process, done again and again: the medians of `rounds`, after as many that only warm up. */
export function measureSides(rounds: number, once: (timed: Timed, round: number) => void): Sides {
  const samples: Sides[] = [];
  for (let round = 0; round < 2 * rounds; round++) {
    const spent = { client: 0, server: 0 };
    once((side, work) => {
      const began = process.cpuUsage();
      const result = work();
      const { user, system } = process.cpuUsage(began);
      spent[side] += (user + system) / 1000;
      return result;
    }, round);
    if (round >= rounds) samples.push(spent);
  }
  return {
    client: median(samples.map(({ client }) => client)),
    server: median(samples.map(({ server }) => server)),
  };
}
