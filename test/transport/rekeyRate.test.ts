import assert from "node:assert/strict";
import { test } from "node:test";
import { renewals } from "../attacks/stories/stolenKeys.js";
import { ChannelWorld } from "../support/channel.js";

for (const role of ["initiator", "responder"] as const)
  test(`sixteen renewals in a row, then one a second, however often a peer asks the ${role}`, () => {
    const at = (now: number, times: number): readonly number[] => Array<number>(times).fill(now);
    assert.equal(renewals(1, role, at(0, 16)), 16);
    assert.equal(renewals(1, role, [...at(0, 16), ...at(999, 20)]), 16);
    assert.equal(renewals(1, role, [...at(0, 16), ...at(1000, 20)]), 17);
    assert.equal(renewals(1, role, [...at(0, 16), ...at(5000, 40)]), 21);
    assert.equal(renewals(1, role, [...at(0, 16), ...at(60_000, 60)]), 32);
  });

test("who renews more often than that waits, and goes on", async () => {
  const world = new ChannelWorld({ seed: 2, endpoint: { keepAlive: true } });
  const { client, server } = await world.connected();
  const start = world.clock.now();
  for (let epoch = 1; epoch <= 24; epoch++) assert.deepEqual(await world.until(client.rekey()), { epoch });
  assert.ok(world.clock.now() - start >= 7_000);
  assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
});
