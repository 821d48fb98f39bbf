import { test } from "node:test";
import { RIDES } from "../support/rides.js";

// Networks that people know, for a few seconds and one seed; test/soak rides longer on five and writes the table in PROTOCOL.md.
for (const { name, check, run } of RIDES)
  test(`${name}: ${check}`, async (context) => {
    context.diagnostic(await run(0.1));
  });
