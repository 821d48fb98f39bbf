import assert from "node:assert/strict";
import { test } from "node:test";
import { HostWatch } from "#transport/hostWatch.js";
import { watchHost } from "#transport/hostWatch.node.js";

const HOME = ["eth0 10.0.0.2", "wlan0 10.0.1.2"];

test("sleep and another network are noticed, small corrections of the clock are not", () => {
  const first = { now: 0, wall: 1_000_000, addresses: HOME };
  const looks: readonly (readonly [
    now: number,
    wallMs: number,
    addresses: readonly string[],
    network: boolean,
    hidden: number,
  ])[] = [
    [2_000, 2_000, HOME, false, 0],
    [2_000, 2_000, [...HOME].reverse(), false, 0],
    [2_000, 2_000, HOME.slice(1), true, 0],
    [2_000, 2_000, [], true, 0],
    [2_000, 4_000, HOME, false, 0],
    [2_000, 4_001, HOME, false, 2_001],
    [2_000, 28_800_000, HOME, false, 28_798_000],
    // The monotonic clock saw the sleep as well (macOS): the late tick tells, not the watch.
    [60_000, 60_000, HOME, false, 0],
    // Somebody set the clock back.
    [2_000, -3_600_000, HOME, false, 0],
  ];
  for (const [now, wallMs, addresses, network, hiddenMs] of looks) {
    const watch = new HostWatch(first);
    assert.deepEqual(watch.look({ now, wall: first.wall + wallMs, addresses }), { network, hiddenMs });
  }
});

test("each look is compared with the one before", () => {
  const watch = new HostWatch({ now: 0, wall: 0, addresses: HOME });
  assert.equal(watch.look({ now: 1, wall: 1, addresses: [] }).network, true);
  assert.equal(watch.look({ now: 2, wall: 2, addresses: [] }).network, false);
  assert.equal(watch.look({ now: 3, wall: 10_000, addresses: [] }).hiddenMs, 9_997);
  assert.equal(watch.look({ now: 4, wall: 10_001, addresses: [] }).hiddenMs, 0);
});

test("watching keeps no program alive and can be stopped", () => {
  const never = (): void => assert.fail();
  const stop = watchHost({ networkChanged: never, resume: never }, never);
  stop();
});

test("IPv6 counts by its networks: addresses that rotate in one of them are no change", () => {
  const first = ["eth0 10.0.0.2", "eth0 fe80::1", "eth0 2001:db8:1:2::5"];
  for (const [addresses, network] of [
    [[...first, "eth0 2001:db8:1:2:abcd:1:2:3"], false],
    [[...first.slice(0, 2), "eth0 2001:db8:1:2:abcd:1:2:3"], false],
    [first.slice(0, 2), true],
    [[...first, "eth0 fd00::1"], true],
    [[...first.slice(0, 2), "eth0 2001:db8:1:3::5"], true],
    [[...first.slice(0, 2), "wlan0 2001:db8:1:2::5"], true],
    // Every link has fe80::/64: only another address tells another place.
    [["eth0 10.0.0.2", "eth0 fe80::2", "eth0 2001:db8:1:2::5"], true],
  ] as const) {
    const watch = new HostWatch({ now: 0, wall: 0, addresses: first });
    assert.equal(watch.look({ now: 1, wall: 1, addresses }).network, network, addresses.join());
  }
});
