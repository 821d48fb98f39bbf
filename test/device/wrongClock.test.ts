import assert from "node:assert/strict";
import { test } from "node:test";
import { HandfastError } from "#kernel/errors.js";
import { BondWorld, PC } from "./bondWorld.js";

// No security rests on the wall clock: it only labels bonds, and lets one that was never finished go after a day.

const DAY = 24 * 60 * 60_000;
/** Before 1970, 1970, a computer without a battery, the year 9999, the last moment that a Date can be. */
const CLOCKS = [-DAY, 0, 86_400.5, Date.UTC(9999, 11, 31), 8.64e15] as const;

async function ended(world: BondWorld, attempt: Promise<unknown>): Promise<string> {
  try {
    await world.until(attempt);
    return "done";
  } catch (error) {
    return error instanceof HandfastError ? error.code : String(error);
  }
}

function pair(world: BondWorld): Promise<string> {
  world.pc.device.openPairing();
  const target = { name: undefined, addresses: [PC] };
  return ended(world, world.phone.device.pair(target, { compare: async () => true }));
}

async function connect(world: BondWorld): Promise<string> {
  const [bond] = await world.phone.device.bonds();
  if (!bond) return "no bond";
  return await ended(world, world.phone.device.connect(bond, { at: [PC], timeoutMs: 5000 }));
}

async function restartBoth(world: BondWorld): Promise<void> {
  await world.pass(3000);
  await world.pc.crash();
  await world.phone.crash();
  await world.pass(3000);
}

for (const paired of CLOCKS)
  test(`paired when the clock said ${paired}: the bond holds wherever the clock jumps, forward and back`, async () => {
    const world = new BondWorld(21);
    world.clock.wall = () => paired;
    assert.equal(await pair(world), "done");
    for (const now of [...CLOCKS, paired, ...CLOCKS.toReversed()]) {
      await restartBoth(world);
      world.clock.wall = () => now;
      assert.equal(await connect(world), "done", `now ${now}`);
      for (const { disk } of [world.pc, world.phone])
        assert.deepEqual([disk.bonds().length, disk.bonds()[0]?.state], [1, "confirmed"]);
    }
    assert.deepEqual(world.pcErrors, []);
  });

test("a clock that jumps while the window is open neither closes it nor keeps it open", async () => {
  for (const jump of [-1e12, 1e12]) {
    const world = new BondWorld(22);
    world.pc.device.openPairing();
    const { wall } = world.clock;
    world.clock.wall = () => wall.call(world.clock) + jump;
    await world.pass(119_000);
    assert.equal(world.pc.device.pairingOpen, true);
    await world.pass(1500);
    assert.equal(world.pc.device.pairingOpen, false);
  }
});

test("a pairing that was not finished: a clock set back keeps it, one that jumps over the day ends it, and pairing again works", async () => {
  for (const [jump, first] of [
    [-400 * DAY, "done"],
    [2 * DAY, "no bond"],
  ] as const) {
    const world = new BondWorld(23);
    await world.bonded({ state: "provisional" });
    const { wall } = world.clock;
    world.clock.wall = () => wall.call(world.clock) + jump;
    await restartBoth(world);
    assert.equal(await connect(world), first);
    if (first === "done") continue;
    assert.equal(await pair(world), "done");
    await restartBoth(world);
    assert.equal(await connect(world), "done");
  }
});
