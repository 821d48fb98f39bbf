import process from "node:process";
import { test } from "node:test";
import { swarm } from "../support/swarm.js";

test("sixty random acts of applications and networks, many times: no byte is wrong, nothing hangs", async () => {
  await swarm(Number(process.env["FROM"] ?? 1), Number(process.env["SEEDS"] ?? 30));
});

test("a blackout whose few samples say next to nothing does not slow the connection to a trickle", async () => {
  await swarm(284, 1);
});

test("on a new path the first ACKs may be of packets from the old one, and say nothing of its round trip: sending goes on", async () => {
  await swarm(10_717, 1);
});
