import assert from "node:assert/strict";
import { test } from "node:test";
import { type Address, sameAddress } from "#kernel/ports.js";
import { EpochUse, REKEY_LIMITS, type RekeyLimits } from "#transport/rekeyLimits.js";
import { SpareCids } from "#transport/spareCids.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { ChannelWorld, CLIENT, SERVER } from "../support/channel.js";
import { transfer } from "../support/streams.js";

// Packets that do not authenticate, PROTOCOL.md §4: many start a rekey under another connection ID, very many are the end.

test("the limits: one below, at, and one above", () => {
  assert.equal(REKEY_LIMITS.softForged, 2 ** 20);
  assert.equal(REKEY_LIMITS.hardForged, 2 ** 36);
  const use = new EpochUse({ ...REKEY_LIMITS, softForged: 5, hardForged: 9 }, new SeededRandom(1).bytes, 0);
  const renewals: number[] = [];
  for (let forged = 1; forged <= 10; forged++) {
    if (use.countForged()) renewals.push(forged);
    assert.equal(use.softReached(0), forged >= 5);
    assert.equal(use.forgeriesExhausted, forged >= 9);
  }
  assert.deepEqual(renewals, [5]);
});

async function attacked(seed: number, victim: Address, limits: Partial<RekeyLimits>) {
  const world = new ChannelWorld({ seed, endpoint: { rekeyLimits: { ...REKEY_LIMITS, ...limits } } });
  const { client, server } = await world.connected();
  await world.clock.runUntilAsync(() => false, 100);
  const [sender, sent] = sameAddress(victim, SERVER) ? [client, CLIENT] : [server, SERVER];
  const ids = new Set<string>();
  let real = new Uint8Array();
  // A packet that never arrived: its number is new, so the tag has to tell.
  world.network.tap = (bytes) => {
    real = bytes.slice();
    return [];
  };
  sender.sendDatagram(Uint8Array.of(1));
  await world.clock.runUntilAsync(() => real.length > 0, 10);
  world.network.tap = (bytes, from) => {
    if (sameAddress(from, sent)) ids.add(String(bytes.subarray(1, 9)));
    return [bytes];
  };
  const id = String(real.subarray(1, 9));
  const forge = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const bytes = real.slice();
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      world.network.inject(bytes, sent, victim);
    }
    await world.clock.runUntilAsync(() => false, 200);
  };
  return { world, client, server, forge, ids, id };
}

for (const [name, victim] of [
  ["server", SERVER],
  ["client", CLIENT],
] as const)
  test(`forgeries at the ${name}: below the limit nothing, at the limit fresh keys and another connection ID`, async () => {
    const { world, client, server, forge, ids, id } = await attacked(1, victim, { softForged: 20 });
    await forge(19);
    assert.deepEqual([client.stats().epoch, server.stats().epoch], [0, 0]);
    assert.deepEqual(
      [...ids].filter((seen) => seen !== id),
      [],
    );
    await forge(1);
    assert.deepEqual([client.stats().epoch, server.stats().epoch], [1, 1]);
    ids.clear();
    const bytes = world.random.bytes(20_000);
    assert.ok(Buffer.from(await world.until(transfer(client, server, bytes))).equals(bytes));
    assert.ok(!ids.has(id), "nobody sends to the old ID any more");
    // Whatever still goes there costs a look into a table.
    const end = victim === SERVER ? world.server : world.client;
    const { forged, unknownConnection } = end.endpoint.drops;
    await forge(50);
    assert.equal(end.endpoint.drops.forged, forged);
    assert.equal(end.endpoint.drops.unknownConnection, unknownConnection + 50);
    assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
    // That the peer changed on our demand is no move: a NAT that rebinds later changes no ID.
    ids.clear();
    world.client.socket.rebind({ ...CLIENT, port: 50_777 });
    assert.ok(Buffer.from(await world.until(transfer(client, server, bytes))).equals(bytes));
    assert.equal(ids.size, victim === SERVER ? 0 : 1);
  });

test("forgeries at the hard limit: one below it lives, at it the connection ends", async () => {
  const { server, forge } = await attacked(2, SERVER, { hardForged: 30 });
  const code = (): string | undefined => server.closeInfo?.error?.code;
  await forge(29);
  assert.equal(code(), undefined);
  await forge(1);
  assert.equal(code(), "AEAD_LIMIT_REACHED");
});

test("a fresh ID asks for the end of all others, is repeated when lost, and the old ones are released when the peer agrees", () => {
  const { bytes } = new SeededRandom(3);
  const released: Uint8Array[] = [];
  const [localCid, remoteCid] = [bytes(8), bytes(8)];
  const cids = new SpareCids({
    ...{ localCid, remoteCid, peerLimit: 4, onRemote: () => {} },
    allocate: () => ({ cid: bytes(8), token: bytes(16) }),
    release: (cid) => released.push(cid),
  });
  cids.offer();
  assert.equal(cids.takeAnnouncement()?.retirePrior, 0);
  cids.renew();
  const fresh = cids.takeAnnouncement();
  assert.deepEqual([fresh?.sequence, fresh?.retirePrior], [2, 2]);
  cids.onAnnouncementLost(2);
  assert.deepEqual(cids.takeAnnouncement(), fresh);
  cids.onRetire(0);
  cids.onRetire(1);
  assert.equal(released.length, 2);
  assert.equal(cids.takeAnnouncement()?.sequence, 3, "one to spare again");
});

test("a peer that retires IDs before it has seen them ends the connection, and cannot make us issue more", () => {
  const { bytes } = new SeededRandom(4);
  let issued = 0;
  const cids = new SpareCids({
    ...{ localCid: bytes(8), remoteCid: bytes(8), peerLimit: 4, onRemote: () => {}, release: () => {} },
    allocate: () => {
      issued++;
      return { cid: bytes(8), token: bytes(16) };
    },
  });
  cids.offer();
  cids.onRetire(0);
  assert.throws(() => cids.onRetire(1), { code: "PROTOCOL_VIOLATION" });
  assert.equal(issued, 2);
});
