import process from "node:process";
import { test } from "node:test";
import { swarm } from "../support/swarm.js";

test("sixty random acts of applications and networks, many times: no byte is wrong, nothing hangs", async () => {
  await swarm(Number(process.env["FROM"] ?? 1), Number(process.env["SEEDS"] ?? 30));
});

test("a blackout whose few samples say next to nothing does not slow the connection to a trickle", async () => {
  await swarm(284, 1);
});
