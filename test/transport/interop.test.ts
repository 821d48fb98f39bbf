import { test } from "node:test";
import { INTEROP } from "../support/interop/cases.js";

// The QUIC Interop Runner's cases with a twentieth of its bytes; test/soak runs them whole and writes the table in PROTOCOL.md.
for (const { name, check, run } of INTEROP)
  test(`${name}: ${check}`, async (context) => {
    context.diagnostic(await run(0.05));
  });
