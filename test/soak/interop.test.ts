import { readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { INTEROP } from "../support/interop/cases.js";

const PROTOCOL = "transport/PROTOCOL.md";
const [BEGIN, END] = ["<!-- results: begin -->", "<!-- results: end -->"];
const measured = new Map<string, string>();

for (const { name, check, run } of INTEROP)
  test(`${name}: ${check}`, async () => {
    measured.set(name, "**fails**");
    measured.set(name, await run(1));
  });

after(() => {
  const rows = INTEROP.map(({ name, check }) => `| ${name} | ${check} | ${measured.get(name) ?? "not run"} |`);
  const table = ["| case | what has to hold | measured |", "|---|---|---|", ...rows].join("\n");
  const text = readFileSync(PROTOCOL, "utf8");
  const [before, rest = ""] = text.split(BEGIN);
  const [, behind = ""] = rest.split(END);
  writeFileSync(PROTOCOL, `${before}${BEGIN}\n${table}\n${END}${behind}`);
});
