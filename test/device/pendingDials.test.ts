import assert from "node:assert/strict";
import { test } from "node:test";
import { isWanted, PendingDials } from "#device/pendingDials.js";

function world() {
  const stopped: number[] = [];
  return { stopped, dials: new PendingDials<string>((handle) => stopped.push(handle)) };
}

test("whoever dials the same device gets what the first dial found; other devices go on", async () => {
  const { stopped, dials } = world();
  const [first, second, other] = [
    dials.add(1, { device: "a", peerName: "Ana" }),
    dials.add(2, { device: "a", peerName: "Ana" }),
    dials.add(3, { device: "b", peerName: "Bob" }),
  ];
  const found = [dials.take(1), ...dials.takeAll("a")];
  for (const dial of found) dial?.resolve("session");
  assert.deepEqual([await first.session, await second.session, stopped], ["session", "session", [2]]);
  assert.equal(dials.take(2), undefined);
  dials.take(3)?.reject(new Error("nobody"));
  await assert.rejects(other.session, /nobody/);
});

test("a dial that is given up is stopped, rejected, and no longer wanted by who has taken it", async () => {
  const { stopped, dials } = world();
  const [early, late] = [
    dials.add(1, { device: "a", peerName: "Ana" }),
    dials.add(2, { device: "b", peerName: "Bob" }),
  ];
  early.cancel();
  await assert.rejects(early.session, { code: "CANCELLED" });
  assert.deepEqual([stopped, dials.take(1)], [[1], undefined]);
  const taken = dials.take(2);
  assert.equal(taken && isWanted(taken), true);
  late.cancel();
  await assert.rejects(late.session, { code: "CANCELLED" });
  assert.equal(taken && isWanted(taken), false);
});

test("when the device shuts down, everybody who still waits is told", async () => {
  const { dials } = world();
  const waiting = [
    dials.add(1, { device: "a", peerName: "Ana" }).session,
    dials.add(2, { device: "b", peerName: "Bob" }).session,
  ];
  dials.rejectAll(new Error("closed"));
  for (const each of waiting) await assert.rejects(each, /closed/);
  assert.deepEqual(dials.takeAll("a"), []);
});
