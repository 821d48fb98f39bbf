import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "#kernel/ports.js";
import { Acknowledgements } from "#transport/acknowledgements.js";
import { Arrivals } from "#transport/arrivals.js";
import { PathValidation } from "#transport/pathValidation.js";
import { RttEstimator } from "#transport/rtt.js";
import { GOOD_LINK } from "../simulation/network.js";
import { withSeeds } from "../simulation/seeds.js";
import { ChannelWorld, CLIENT, SERVER } from "../support/channel.js";
import { transfer } from "../support/streams.js";

const ELSEWHERE: Address = { host: "10.0.0.66", port: 6666 };
const PTO = 100;

function arrivals(follows = true) {
  const acks = new Acknowledgements(25);
  const path = new PathValidation(CLIENT, () => new Uint8Array(8));
  const held = new Arrivals(acks, path, new RttEstimator(), follows);
  const receive = (number: number, from: Address, now: number): void =>
    held.onReceived(number, 100, true, from, now, PTO);
  const acknowledged = (): number[] => [...acks.ranges()].flatMap(({ start, end }) => [start, end]);
  return { held, path, receive, acknowledged };
}

test("what comes from elsewhere is acknowledged when it comes again where the peer is", () => {
  const { held, receive, acknowledged } = arrivals();
  receive(1, CLIENT, 0);
  receive(2, ELSEWHERE, 1);
  assert.equal(acknowledged().includes(2), false);
  held.onDuplicate(2, 100, ELSEWHERE, 2);
  assert.equal(acknowledged().includes(2), false, "not by another copy");
  held.onDuplicate(2, 100, CLIENT, 3);
  assert.equal(acknowledged().includes(2), true);
});

test("and when the peer has proved to be elsewhere, or after three probe timeouts, or when it is too much", () => {
  const moved = arrivals();
  moved.receive(2, ELSEWHERE, 0);
  moved.held.onPathMoved(1);
  assert.equal(moved.acknowledged().includes(2), true);
  for (const [at, told] of [
    [3 * PTO - 1, false],
    [3 * PTO, true],
  ] as const) {
    const late = arrivals();
    late.receive(2, ELSEWHERE, 0);
    late.receive(9, CLIENT, at);
    assert.equal(late.acknowledged().includes(2), told, `${at}`);
  }
  for (const [count, told] of [
    [256, false],
    [257, true],
  ] as const) {
    const many = arrivals();
    for (let i = 0; i < count; i++) many.receive(2 * i, ELSEWHERE, 0);
    many.receive(1_001, CLIENT, 0);
    assert.equal(many.acknowledged().includes(0), told, `${count}`);
  }
});

test("who dialled acknowledges at once, from whichever of its addresses a responder speaks", () => {
  const { receive, acknowledged } = arrivals(false);
  receive(2, ELSEWHERE, 0);
  assert.equal(acknowledged().includes(2), true);
});

test("a copy that was first does not hide where the peer has moved", () => {
  const { held, path, receive } = arrivals();
  receive(2, ELSEWHERE, 0);
  assert.equal(path.asks, false);
  held.onDuplicate(3, 100, { ...CLIENT, port: 1 }, 1);
  assert.equal(path.asks, false, "of a number that nobody has copied");
  held.onDuplicate(2, 100, { ...CLIENT, port: 1 }, 1);
  assert.deepEqual(path.challenge(1, PTO)?.to, { ...CLIENT, port: 1 });
});

/** Half of what the client sends is carried to the server on a way that takes no time. */
async function hurried(seed: number, down: boolean) {
  const link = { ...GOOD_LINK, delayMs: 10, rate: 2_500, queue: 50_000 };
  const world = new ChannelWorld({ seed, link });
  const { client, server } = await world.connected();
  let moves = 0;
  server.on("path", () => moves++);
  world.network.socket(ELSEWHERE);
  world.network.tap = (bytes, from, to) => {
    if (to.host === SERVER.host && from.host === CLIENT.host && world.random.chance(0.5))
      world.server.pump.receive(bytes.slice(), ELSEWHERE);
    return [bytes];
  };
  const [from, to] = down ? [server, client] : [client, server];
  const start = world.clock.now();
  await world.until(transfer(from, to, world.random.bytes(500_000)));
  assert.equal(moves, 0);
  return { took: world.clock.now() - start, minRttMs: from.stats().minRttMs };
}

test("copies on a faster way do not pass for the time of the path, up or down", async () => {
  await withSeeds(3, async (seed) => {
    for (const down of [false, true]) {
      const { took, minRttMs } = await hurried(seed, down);
      assert.ok(minRttMs >= 20 && took < 300, `${minRttMs} ms, ${took} ms`);
    }
  });
  const { proved } = Arrivals.prototype;
  Arrivals.prototype.proved = () => true;
  try {
    for (const down of [false, true]) {
      const { minRttMs } = await hurried(1, down);
      assert.ok(minRttMs < 15, `without the check ${minRttMs} ms`);
    }
  } finally {
    Arrivals.prototype.proved = proved;
  }
});
