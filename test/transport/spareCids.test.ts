import assert from "node:assert/strict";
import { test } from "node:test";
import { cidKey } from "#transport/connectionId.js";
import { SpareCids } from "#transport/spareCids.js";
import { SeededRandom } from "../simulation/seededRandom.js";

function make(peerLimit = 4) {
  const random = new SeededRandom(1).bytes;
  const released: Uint8Array[] = [];
  const remotes: Uint8Array[] = [];
  const cids = new SpareCids({
    ...{ localCid: random(8), remoteCid: random(8), peerLimit },
    allocate: () => ({ cid: random(8), token: random(16) }),
    release: (cid) => released.push(cid),
    onRemote: ({ cid }) => remotes.push(cid),
  });
  const give = (sequence: number, retirePrior = 0, cid = random(8)): void =>
    cids.onNew(sequence, retirePrior, cid, random(16));
  return { cids, random, released, remotes, give };
}

test("the peer gets one spare ID, and another when it retires one", () => {
  const { cids, released } = make();
  cids.offer();
  assert.equal(cids.takeAnnouncement()?.sequence, 1);
  assert.equal(cids.takeAnnouncement(), undefined);
  cids.onRetire(0);
  assert.equal(released.length, 1);
  assert.equal(cids.takeAnnouncement()?.sequence, 2);
  cids.onRetire(0);
  assert.equal(cids.takeAnnouncement(), undefined, "a repeated frame changes nothing");
});

test("a lost announcement is repeated, one that arrived or was retired is not", () => {
  const { cids } = make();
  cids.offer();
  const first = cids.takeAnnouncement();
  cids.onAnnouncementLost(1);
  assert.deepEqual(cids.takeAnnouncement(), first);
  cids.onAnnouncementAcked(1);
  cids.onAnnouncementLost(1);
  assert.equal(cids.due, false);
});

test("changing uses a spare one and retires the other", () => {
  const { cids, give, remotes, random } = make();
  assert.equal(cids.change(), false);
  const fresh = random(8);
  give(1, 0, fresh);
  assert.equal(cids.change(), true);
  assert.deepEqual(remotes, [fresh]);
  assert.equal(cids.takeRetirement(), 0);
  cids.onRetirementLost(0);
  assert.equal(cids.takeRetirement(), 0);
});

test("whoever moved on purpose is answered under a spare ID, once its address is proved", () => {
  const { cids, give, remotes, random } = make();
  const fresh = random(8);
  give(1, 0, fresh);
  cids.onArrival(cidKey(random(8)));
  assert.deepEqual(cids.probing, fresh);
  assert.deepEqual(remotes, []);
  cids.onMoved();
  assert.deepEqual(remotes, [fresh]);
  cids.onMoved();
  assert.equal(remotes.length, 1);
});

test("the peer may retire ours and demand that we leave its own", () => {
  const { cids, give, remotes } = make();
  give(1);
  give(2, 2);
  assert.equal(remotes.length, 1);
  const retired = [cids.takeRetirement(), cids.takeRetirement(), cids.takeRetirement()];
  assert.deepEqual(retired.sort(), [0, 1, undefined]);
});

test("limits: four active IDs, five are too many", () => {
  const { give } = make();
  for (const sequence of [1, 2, 3]) give(sequence);
  assert.throws(() => give(4), { code: "CONNECTION_ID_LIMIT_ERROR" });
});

test("what a peer must not say about connection IDs", () => {
  const attacks: readonly [code: string, (made: ReturnType<typeof make>) => void][] = [
    ["FRAME_ENCODING_ERROR", ({ give }) => give(1, 2)],
    ["PROTOCOL_VIOLATION", ({ give }) => [give(1), give(1)]],
    ["PROTOCOL_VIOLATION", ({ give }) => give(0)],
    ["PROTOCOL_VIOLATION", ({ cids }) => cids.onRetire(1)],
    [
      "CONNECTION_ID_LIMIT_ERROR",
      ({ give }) => {
        for (let i = 1; i < 200; i++) give(i, i);
      },
    ],
  ];
  for (const [code, attack] of attacks) assert.throws(() => attack(make()), { code });
});
