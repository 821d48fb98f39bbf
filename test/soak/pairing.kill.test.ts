import { describe, test } from "node:test";
import { killProcessAt, STEPS } from "../attacks/killedProcess.js";

const ROUNDS = 3;

describe("kill -9 while two processes pair", { concurrency: 2 }, () => {
  for (let round = 1; round <= ROUNDS; round++)
    for (const side of ["pc", "laptop"] as const)
      for (const step of STEPS) test(`round ${round}: the ${side}, ${step}`, (t) => killProcessAt(t, side, step));
});
