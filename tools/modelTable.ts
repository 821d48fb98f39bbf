// Runs all models and writes what they say into src/pairing/PROTOCOL.md. `npm test` only checks that the two agree.
import { readFileSync, writeFileSync } from "node:fs";
import { enableMutants } from "#test/attacks/mutants.js";
import { twins } from "#test/attacks/pairingMutants.js";
import { modelMutants, runModels, tableOf } from "#test/models/run.js";
import { TABLE_BEGIN, TABLE_END, TABLE_FILE } from "#test/models/table.js";

enableMutants(modelMutants(twins));
const table = tableOf(await runModels(twins));
const text = readFileSync(TABLE_FILE, "utf8");
const [before = "", rest] = text.split(TABLE_BEGIN);
const [, after] = rest?.split(TABLE_END) ?? [];
if (after === undefined) throw new Error(`${TABLE_FILE} has no place for the table: ${TABLE_BEGIN} ${TABLE_END}`);
writeFileSync(TABLE_FILE, `${before}${TABLE_BEGIN}\n${table}\n${TABLE_END}${after}`);
console.log(table);
