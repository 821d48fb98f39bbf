import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerSession } from "#device/channel.js";
import { HandfastError } from "#kernel/errors.js";
import { withSeeds } from "../simulation/seeds.js";
import { DeviceWorld, LAPTOP, PC } from "./deviceWorld.js";

/** The next session, which must come. */
async function next(world: DeviceWorld, sessions: AsyncGenerator<PeerSession>): Promise<PeerSession> {
  const { value, done } = await world.settled(sessions.next());
  assert.notEqual(done, true);
  return value as PeerSession;
}

test("a PC that is away is tried ever more seldom, and found when it is back", async () => {
  const world = new DeviceWorld(1);
  const bond = await world.pair();
  const waits: number[] = [];
  const sessions = world.client.stayConnected(bond, { onWaiting: ({ ms }) => waits.push(ms) });
  const first = await next(world, sessions);
  world.silence(PC);
  const second = sessions.next();
  assert.ok(await world.clock.runUntilAsync(() => waits.length === 8, 600_000));
  world.network.tap = undefined;
  const { value: again } = await world.settled(second);
  assert.notEqual(again.session, first.session);
  assert.ok(first.session.closeInfo);
  for (const [i, wait] of waits.slice(0, 8).entries()) {
    const middle = Math.min(250 * 2 ** i, 10_000);
    assert.ok(wait >= middle * 0.8 && wait <= middle * 1.2, `wait ${i}: ${wait}`);
  }
});

test("a PC that comes back at another address is taken there at once, long before the old session is given up", async () => {
  const world = new DeviceWorld(2);
  const bond = await world.pair();
  const sessions = world.client.stayConnected(bond);
  const first = await next(world, sessions);
  world.silence(PC);
  world.startPc({ host: PC.host, port: 6000 });
  const began = world.clock.now();
  world.announce([PC.host], 6000);
  const moved = await next(world, sessions);
  assert.equal(moved.session.path.port, 6000);
  assert.ok(world.clock.now() - began < 2000);
  assert.equal(first.session.closeInfo?.remote, false);
});

test("on another network the PC is looked for wherever it was before, without an announcement", async () => {
  const world = new DeviceWorld(7);
  const bond = await world.pair();
  const sessions = world.client.stayConnected(bond);
  await next(world, sessions);
  const elsewhere = { host: "10.0.0.9", port: 6000 };
  world.silence(PC);
  world.startPc(elsewhere);
  world.announce([elsewhere.host], elsewhere.port);
  const there = await next(world, sessions);
  assert.equal(there.session.path.host, elsewhere.host);
  world.silence(elsewhere);
  world.startPc(PC);
  const began = world.clock.now();
  world.changeNetwork();
  const back = await next(world, sessions);
  assert.equal(back.session.path.host, PC.host);
  assert.ok(world.clock.now() - began < 5000);
  assert.equal(there.session.closeInfo?.remote, false);
});

test("an announcement at the address in use changes nothing, nor does a liar's", async () => {
  const world = new DeviceWorld(3);
  const bond = await world.pair();
  const sessions = world.client.stayConnected(bond);
  const { session } = await next(world, sessions);
  world.announce([PC.host], PC.port);
  world.announce(["10.6.6.6"], 666);
  await world.clock.runUntilAsync(() => false, 20_000);
  assert.equal(session.closeInfo, undefined);
  assert.equal(world.sessions.length, 1);
  await world.settled(session.close());
  assert.equal((await next(world, sessions)).session.path.host, PC.host);
});

test("seen while waiting: tried at once", async () => {
  const world = new DeviceWorld(4);
  const bond = await world.pair();
  let waiting = 0;
  const sessions = world.client.stayConnected(bond, { onWaiting: () => waiting++ });
  await next(world, sessions);
  world.silence(PC);
  const second = sessions.next();
  assert.ok(await world.clock.runUntilAsync(() => waiting === 7, 600_000));
  world.startPc({ host: PC.host, port: 6001 });
  world.announce([PC.host], 6001);
  const began = world.clock.now();
  assert.equal((await world.settled(second)).value.session.path.port, 6001);
  assert.ok(world.clock.now() - began < 1000);
});

test("a PC that forgot this device ends it", async () => {
  const world = new DeviceWorld(5);
  const bond = await world.pair();
  const sessions = world.client.stayConnected(bond);
  await next(world, sessions);
  const [there] = world.pc.bonds();
  assert.ok(there);
  await world.settled(world.pc.forget(there));
  await assert.rejects(
    world.settled(sessions.next()),
    (error: unknown) => error instanceof HandfastError && error.code === "PEER_FORGOT_US",
  );
});

test("a device forgotten here is not dialled any more", async () => {
  const world = new DeviceWorld(6);
  const bond = await world.pair();
  const sessions = world.client.stayConnected(bond);
  await next(world, sessions);
  await world.settled(world.client.forget(bond));
  await assert.rejects(
    world.settled(sessions.next()),
    (error: unknown) => error instanceof HandfastError && error.code === "NOT_PAIRED",
  );
});

test("the signal ends it, also in the middle of a wait", async () => {
  const world = new DeviceWorld(7);
  const bond = await world.pair();
  const stop = new AbortController();
  let waiting = 0;
  const sessions = world.client.stayConnected(bond, { signal: stop.signal, onWaiting: () => waiting++ });
  await next(world, sessions);
  world.silence(LAPTOP);
  const second = sessions.next();
  assert.ok(await world.clock.runUntilAsync(() => waiting === 3, 600_000));
  stop.abort();
  assert.equal((await world.settled(second)).done, true);
});

test("a bond that was never finished is gone after a day, also from a PC that is never restarted", async () => {
  const world = new DeviceWorld(8);
  const bond = await world.pair();
  await world.settled(world.client.close());
  const [kept] = world.pcStore.bonds();
  assert.ok(kept);
  const createdAt = Math.trunc(world.clock.wall());
  await world.pcStore.put({ ...kept, id: "ab".repeat(16), state: "provisional", createdAt });
  const day = 24 * 60 * 60_000;
  await world.clock.runUntilAsync(() => false, day - 60_000);
  assert.equal(world.pcStore.bonds().length, 2);
  assert.ok(await world.clock.runUntilAsync(() => world.pcStore.bonds().length === 1, 2 * 60 * 60_000));
  assert.equal(world.pcStore.bonds()[0]?.id, bond.id);
});

/** Both are reached by IPv4 and IPv6: what goes to an IPv6 address takes the same way under another name. `dark`: what the link carries no more. */
function dualStack(world: DeviceWorld, dark: { v4: boolean; v6: boolean }): void {
  const names = new Map([
    [PC.host, PC6],
    [LAPTOP.host, "fd00::2"],
  ]);
  const v4 = (host: string): string => [...names].find(([, v6]) => v6 === host)?.[0] ?? host;
  const v6 = (host: string): string => names.get(host) ?? host;
  world.network.tap = (bytes, from, to) => {
    const is6 = to.host.includes(":");
    if (is6 ? dark.v6 : dark.v4) return [];
    if (!is6) return [bytes];
    world.network.inject(bytes, { host: v6(from.host), port: from.port }, { host: v4(to.host), port: to.port });
    return [];
  };
}

const PC6 = "fd00::1";

/** Paired and connected over IPv4; the PC has announced both of its addresses. */
async function onBothFamilies(seed: number) {
  const world = new DeviceWorld(seed);
  const bond = await world.pair();
  const dark = { v4: false, v6: false };
  dualStack(world, dark);
  const sessions = world.client.stayConnected(bond);
  const first = await next(world, sessions);
  world.announce([PC.host, PC6], PC.port);
  // The gap falls into another moment of the keep-alive in every run.
  await world.clock.runUntilAsync(() => false, 1_000 + 37 * seed);
  return { world, dark, sessions, first };
}

for (const [who, limitMs] of [
  ["somebody speaks", 3_000],
  ["nobody speaks", 13_000],
] as const)
  test(`IPv4 that dies without a word while ${who}: the session is found again over IPv6 within ${limitMs / 1000} s`, async () => {
    await withSeeds(8, async (seed) => {
      const { world, dark, sessions, first } = await onBothFamilies(seed);
      dark.v4 = true;
      const died = world.clock.now();
      if (limitMs < 10_000) first.session.sendDatagram(Uint8Array.of(1));
      const second = await next(world, sessions);
      assert.ok(world.clock.now() - died < limitMs, `${world.clock.now() - died} ms`);
      assert.equal(second.session.path.host, PC6);
      assert.equal(first.session.closeInfo?.remote, false);
      await world.clock.runUntilAsync(() => world.sessions.length === 2, 1_000);
      const there = world.sessions.at(-1)?.session;
      assert.equal(there?.path.host, "fd00::2");
      assert.equal(world.sessions[0]?.session.closeInfo?.error?.code, "REPLACED");
    });
  });

test("a gap in the radio costs no session, whichever of the old path and the dial is heard first after it", async () => {
  await withSeeds(20, async (seed) => {
    const { world, dark, first } = await onBothFamilies(seed);
    Object.assign(dark, { v4: true, v6: true });
    let suspects = 0;
    first.session.on("suspect", () => suspects++);
    first.session.sendDatagram(Uint8Array.of(1));
    await world.clock.runUntilAsync(() => false, 1_500 + 130 * seed);
    assert.ok(suspects > 0);
    Object.assign(dark, { v4: false, v6: false });
    await world.clock.runUntilAsync(() => false, 20_000);
    assert.equal(first.session.closeInfo, undefined);
    assert.equal(world.sessions.length, 1);
  });
});

test("both families come back one after the other: whatever answers first is taken", async () => {
  await withSeeds(5, async (seed) => {
    const { world, dark, sessions, first } = await onBothFamilies(seed);
    Object.assign(dark, { v4: true, v6: true });
    first.session.sendDatagram(Uint8Array.of(1));
    await world.clock.runUntilAsync(() => false, 8_000 + 200 * seed);
    dark.v6 = false;
    const back = world.clock.now();
    assert.equal((await next(world, sessions)).session.path.host, PC6);
    assert.ok(world.clock.now() - back < 4_000, `${world.clock.now() - back} ms`);
  });
});
