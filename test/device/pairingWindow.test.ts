import assert from "node:assert/strict";
import { test } from "node:test";
import type { PairingWay } from "#device/runPairing.js";
import { DeviceWorld, PC } from "./deviceWorld.js";

const YES: PairingWay = { compare: async () => true };
const TARGET = { name: "PC", addresses: [PC] };

/** Why the window was closed, in order. */
function closings(world: DeviceWorld): string[] {
  const reasons: string[] = [];
  world.pc.on("pairingWindow", ({ open, reason }) => {
    if (!open) reasons.push(reason);
  });
  return reasons;
}

for (const change of ["slept", "networkChanged"] as const) {
  test(`the PC ${change}: its window is closed to strangers, and the person is told why`, async () => {
    const world = new DeviceWorld(1);
    const reasons = closings(world);
    world.pc.openPairing();
    world.changePc(change);
    assert.deepEqual(reasons, [change]);
    assert.equal(world.pc.pairingOpen, false);
    await assert.rejects(world.settled(world.client.pair(TARGET, YES)), { code: "PAIRING_NOT_ANSWERED" });
    // Opened again where it is now, all is well.
    assert.equal((await world.pair()).name, "PC");
    assert.deepEqual(reasons, [change, "success"]);
  });

  test(`the PC ${change} while a person is asked: the attempt ends on both sides and no bond is stored`, async () => {
    const world = new DeviceWorld(2);
    world.pc.on("pairing", () => world.changePc(change));
    const reasons = closings(world);
    const failed: string[] = [];
    world.pc.on("pairingFailed", ({ error }) => failed.push(error.code));
    world.pc.openPairing();
    // The phone's person has not answered yet.
    const pairing = world.client.pair(TARGET, { compare: () => new Promise(() => {}) });
    await assert.rejects(world.settled(pairing), { code: "PAIRING_CANCELLED" });
    assert.deepEqual([reasons, failed], [[change], ["PAIRING_CANCELLED"]]);
    assert.deepEqual([world.pc.bonds(), world.client.storedBonds()], [[], []]);
  });
}

test("a closed window and bonded devices: a change of network says nothing and ends no bond", async () => {
  const world = new DeviceWorld(3);
  const bond = await world.pair();
  const reasons = closings(world);
  world.changePc("networkChanged");
  world.changePc("slept");
  assert.deepEqual(reasons, []);
  assert.equal((await world.settled(world.client.connect(bond))).bond.name, "PC");
});
