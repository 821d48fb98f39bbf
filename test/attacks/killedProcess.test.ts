import { describe, test } from "node:test";
import { killProcessAt } from "./killedProcess.js";

// The two steps where a bond may be half made; test/soak/pairing.kill.test.ts has the others.
describe("kill -9 while two processes pair", { concurrency: 4 }, () => {
  for (const side of ["pc", "laptop"] as const)
    for (const step of ["answered", "paired"] as const)
      test(`the ${side}, ${step}: no counter goes back, no bond is worth nothing, and then they pair`, (t) =>
        killProcessAt(t, side, step));
});
