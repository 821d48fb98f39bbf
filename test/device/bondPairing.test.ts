import assert from "node:assert/strict";
import { test } from "node:test";
import { HandfastError } from "#kernel/errors.js";
import { BondWorld, PC } from "./bondWorld.js";

/** How long an undisturbed pairing takes with these disks, with room. */
const PAIRING_MS = 90;

async function pair(world: BondWorld): Promise<string> {
  world.pc.device.openPairing();
  const pairing = world.phone.device.pair({ name: undefined, addresses: [PC] }, { compare: async () => true });
  const lost = new Promise<string>((resolve) => world.clock.schedule(40_000, () => resolve("lost")));
  return await Promise.race([
    world.until(pairing).then(
      () => "paired",
      (error: unknown) => (error instanceof HandfastError ? error.code : String(error)),
    ),
    lost,
  ]);
}

for (const side of ["pc", "phone"] as const)
  test(`kill -9 of the ${side} at each moment of pairing and of the first session: whoever holds a bond can use it`, async () => {
    let bonded = 0;
    for (let moment = 0; moment < PAIRING_MS; moment += 2) {
      const world = new BondWorld(moment);
      world.diskMs = 8;
      let highest = { failures: 0, windows: 0 };
      world.clock.schedule(moment, () => {
        highest = world.pc.disk.attempts();
        void world[side].crash();
      });
      await pair(world);
      await world.pass(1000);
      const { failures, windows } = world.pc.disk.attempts();
      const paired = world.pc.disk.bonds().length > 0;
      assert.ok(windows >= highest.windows && (paired || failures >= highest.failures), `crash at ${moment} ms`);
      const known = new Set(world.pc.disk.bonds().map(({ id }) => id));
      for (const { id } of world.phone.disk.bonds()) assert.ok(known.has(id), `crash at ${moment} ms: the PC lacks it`);
      for (const { id, state } of world.pc.disk.bonds())
        if (state === "confirmed") assert.equal(world.phone.disk.bonds()[0]?.id, id, `crash at ${moment} ms`);

      await world.pass(70_000);
      const [bond] = world.phone.disk.bonds();
      if (!bond) assert.equal(await pair(world), "paired", `crash at ${moment} ms: they can pair again`);
      else bonded++;
      const [usable] = world.phone.disk.bonds();
      assert.ok(usable);
      const { bond: used } = await world.until(world.phone.device.connect(usable, { at: [PC] }));
      assert.equal(used.state, "confirmed", `crash at ${moment} ms`);
      await world.pass(200);
      assert.equal(world.pc.disk.bonds().filter(({ state }) => state === "confirmed").length, 1);
    }
    assert.ok(bonded > 0 && bonded < PAIRING_MS / 2, `${bonded} crashes came after the phone's bond was written`);
  });
