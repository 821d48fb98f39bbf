import { readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import type { InteropCase } from "./interop/world.js";

const PROTOCOL = "transport/PROTOCOL.md";

/** Runs the cases whole, and writes what they measured between the marks `name` of PROTOCOL.md §14. */
export function measureInto(name: string, cases: readonly InteropCase[]): void {
  const measured = new Map<string, string>();
  for (const { name: title, check, run } of cases)
    test(`${title}: ${check}`, async () => {
      measured.set(title, "**fails**");
      measured.set(title, await run(1));
    });
  after(() => {
    const rows = cases.map(({ name: title, check }) => `| ${title} | ${check} | ${measured.get(title) ?? "not run"} |`);
    const table = ["| case | what has to hold | measured |", "|---|---|---|", ...rows].join("\n");
    const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
    const [before = "", rest = ""] = readFileSync(PROTOCOL, "utf8").split(begin);
    const [, behind = ""] = rest.split(end);
    writeFileSync(PROTOCOL, `${before}${begin}\n${table}\n${end}${behind}`);
  });
}
