import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "#kernel/bytes.js";
import { honestUnderFire, slotHolder } from "../attacks/floods.js";
import { mutateEverything } from "../attacks/fuzz.js";
import { checkRate, mitmRate } from "../attacks/mitmRate.js";
import { chooseNonceLast } from "../attacks/stories/betweenTheScreens.js";
import { TERRIBLE_LINK } from "../simulation/network.js";
import { withSeeds } from "../simulation/seeds.js";
import { PairingWorld } from "../support/pairing.js";

test("100,000 pairings under an active man in the middle: equal digits at 10^-6 within its error", () => {
  const rate = mitmRate(100_000, 5);
  assert.equal(checkRate(rate), undefined);
  assert.ok((rate.equalPrefixes[5] ?? 0) <= 2, `${rate.equalPrefixes[5]} times all six digits`);
});

test("1,000 pairings under a man in the middle who searches for nonces: never equal, never a bond", async () => {
  await withSeeds(1000, (seed) => assert.equal(chooseNonceLast(seed).succeeded, false));
});

test("10,000 honest pairings under 30 % loss, duplication and reordering: no different digits, no half bond, 99 % in ten seconds", async () => {
  const slow: number[] = [];
  let unfinished = 0;
  await withSeeds(10_000, (seed) => {
    const link = { ...TERRIBLE_LINK, corrupt: 0 };
    const world = new PairingWorld({ seed, link });
    const began = world.clock.now();
    const { phone, pc } = world.run();
    if (world.phone?.digits !== undefined) assert.equal(world.phone.digits, world.pcDigits?.digits);
    const [onPhone, onPc] = [world.phone?.bonds[0], world.pcBonds[0]];
    if (onPhone)
      assert.equal(toHex(onPhone.psk), toHex(onPc?.psk ?? new Uint8Array()), "the phone's bond is not the PC's");
    if (phone?.type !== "done" || pc?.type !== "done") unfinished++;
    // People take three seconds; the rest is the network and the machines.
    else if (world.clock.now() - began - 3000 > 10_000) slow.push(seed);
  });
  assert.ok(slow.length + unfinished <= 100, `${unfinished} did not finish, ${slow.length} took longer`);
});

test("10^6 mutated messages in every state: no crash, no bond, no secret in an error or a print", () => {
  const result = mutateEverything(1_000_000, 9);
  assert.equal(result.bonds, 0);
  assert.equal(result.leaks, 0);
  assert.ok(result.messages >= 1_000_000);
});

test("1,000 runs against a slot holder, 200 under fire: the honest client pairs within 60 s in 99 %", async () => {
  let late = 0;
  await withSeeds(1000, (seed) => {
    const { ended, after } = slotHolder(seed);
    if (ended !== "done" || after > 60_000) late++;
  });
  assert.ok(late <= 10, `${late} of 1,000`);
  await withSeeds(200, (seed) => {
    const { ended, after } = honestUnderFire(seed, 1000);
    assert.equal(ended, "done");
    assert.ok(after < 30_000, `took ${after} ms`);
  });
});
