import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeyPair } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { trafficKeys } from "#transport/keys.js";
import type { NoiseResult } from "#transport/noiseState.js";
import { PacketProtection } from "#transport/packet.js";
import { Rekey } from "#transport/rekey.js";
import { EpochUse, REKEY_LIMITS, type RekeyLimits } from "#transport/rekeyLimits.js";
import { encodeRekeyMessage, RekeyReader } from "#transport/rekeyMessages.js";
import { decodeDatagram, type LoggedSecret, parseKeyLog } from "../../tools/decodeDatagram.js";
import { GOOD_LINK, TERRIBLE_LINK } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { ChannelWorld, CLIENT, SERVER, type WorldOptions } from "../support/channel.js";
import { transfer } from "../support/streams.js";

/** Both ends of the rekey machine without packets: what one takes out is given to the other. */
function machines(
  options: {
    readonly serverPsk?: Uint8Array;
    readonly serverExporter?: Uint8Array;
    readonly serverKey?: KeyPair;
    readonly limits?: Partial<RekeyLimits>;
  } = {},
) {
  const crypto = nativeCrypto;
  const random = new SeededRandom(31).bytes;
  const client = crypto.x25519KeyPair(random(32));
  const server = crypto.x25519KeyPair(random(32));
  const psk = random(32);
  const base = { initiatorKey: random(32), responderKey: random(32), exporter: random(32), handshakeHash: random(32) };
  const noise = (): NoiseResult => ({
    ...{ initiatorKey: base.initiatorKey.slice(), responderKey: base.responderKey.slice() },
    ...{ exporter: base.exporter.slice(), handshakeHash: base.handshakeHash },
  });
  const end = (role: "initiator" | "responder") => {
    const keys = trafficKeys(crypto, role, noise());
    const protection = new PacketProtection({ keys, remoteCid: new Uint8Array(8), random });
    const rekey = new Rekey({
      ...{ crypto, random, role, protection, now: 0 },
      own: role === "initiator" ? client : (options.serverKey ?? server),
      peerStatic: role === "initiator" ? server.public : client.public,
      psk: role === "initiator" ? psk : (options.serverPsk ?? psk),
      handshakeHash: base.handshakeHash,
      exporter: (role === "responder" && options.serverExporter) || noise().exporter,
      limits: { ...REKEY_LIMITS, ...options.limits },
    });
    return { protection, rekey };
  };
  return { initiator: end("initiator"), responder: end("responder") };
}

const EMPTY = new Uint8Array(0);

test("four steps: the server receives the new epoch before the client sends in it, and sends in it last", () => {
  const { initiator, responder } = machines();
  initiator.rekey.request();
  const first = initiator.rekey.takeCrypto() ?? EMPTY;
  responder.rekey.onCrypto(first);
  assert.equal(responder.protection.sendEpoch, 0);
  initiator.rekey.onCrypto(responder.rekey.takeCrypto() ?? EMPTY);
  assert.deepEqual([initiator.protection.sendEpoch, responder.protection.sendEpoch], [1, 0]);
  assert.equal(initiator.rekey.takePing(), true, "the client shows the new epoch at once");
  responder.rekey.onPacketOpened(1, 100, 10, 5);
  assert.deepEqual(responder.rekey.nextEvent(), { type: "rekeyed", epoch: 1 });
  assert.equal(responder.protection.sendEpoch, 1);
  assert.equal(initiator.rekey.nextEvent(), undefined);
  initiator.rekey.onPacketOpened(1, 100, 11, 5);
  assert.deepEqual(initiator.rekey.nextEvent(), { type: "rekeyed", epoch: 1 });
  // The old keys live exactly three probe timeouts longer.
  assert.equal(responder.rekey.deadline, 25);
  initiator.rekey.request();
  assert.equal(initiator.rekey.takeCrypto(), undefined, "the next one waits for that");
  initiator.rekey.tick(25.9);
  assert.equal(initiator.rekey.takeCrypto(), undefined);
  initiator.rekey.tick(26);
  assert.ok(initiator.rekey.takeCrypto());
});

test("a request while a rekey runs is void", () => {
  const { initiator, responder } = machines();
  initiator.rekey.request();
  assert.ok(initiator.rekey.takeCrypto());
  initiator.rekey.request();
  initiator.rekey.onRekeyRequest(1);
  assert.equal(initiator.rekey.takeCrypto(), undefined);
  assert.throws(() => responder.rekey.onRekeyRequest(1), { code: "KEY_UPDATE_ERROR" });
});

test("the server asks once for each epoch and then sleeps", () => {
  const { responder } = machines();
  responder.rekey.request();
  assert.equal(responder.rekey.deadline, 0);
  assert.equal(responder.rekey.takeRekeyRequest(), 1);
  assert.equal(responder.rekey.takeRekeyRequest(), undefined);
  assert.equal(responder.rekey.deadline, undefined, "a peer that does not answer must not keep us awake");
});

test("another bond secret, another static key, replays and wrong turns end the connection", () => {
  const wrongPsk = machines({ serverPsk: new Uint8Array(32) });
  wrongPsk.initiator.rekey.request();
  wrongPsk.responder.rekey.onCrypto(wrongPsk.initiator.rekey.takeCrypto() ?? EMPTY);
  const answer = wrongPsk.responder.rekey.takeCrypto() ?? EMPTY;
  assert.throws(() => wrongPsk.initiator.rekey.onCrypto(answer), { code: "KEY_UPDATE_ERROR" });

  const noise = (length: number): Uint8Array => new Uint8Array(length).fill(7);
  const bad: readonly ((end: ReturnType<typeof machines>) => void)[] = [
    ({ responder }) => responder.rekey.onCrypto(encodeRekeyMessage({ type: 1, epoch: 1, noise: noise(96) })),
    ({ responder }) => responder.rekey.onCrypto(encodeRekeyMessage({ type: 1, epoch: 2, noise: noise(96) })),
    ({ responder }) => responder.rekey.onCrypto(encodeRekeyMessage({ type: 2, epoch: 1, noise: noise(48) })),
    ({ initiator }) => initiator.rekey.onCrypto(encodeRekeyMessage({ type: 1, epoch: 1, noise: noise(96) })),
    ({ initiator }) => initiator.rekey.onCrypto(encodeRekeyMessage({ type: 2, epoch: 1, noise: noise(48) })),
    ({ initiator, responder }) => {
      initiator.rekey.request();
      const first = initiator.rekey.takeCrypto() ?? EMPTY;
      responder.rekey.onCrypto(first);
      responder.rekey.onCrypto(first);
    },
    ({ initiator, responder }) => {
      initiator.rekey.request();
      const first = initiator.rekey.takeCrypto() ?? EMPTY;
      first[40] = (first[40] ?? 0) ^ 1;
      responder.rekey.onCrypto(first);
    },
    ({ responder }) => responder.rekey.onCrypto(Uint8Array.of(3, 0, 0, 0, 1, 0, 0)),
    ({ responder }) => responder.rekey.onCrypto(Uint8Array.of(1, 0, 0, 0, 1, 1, 1)),
  ];
  for (const [i, attack] of bad.entries())
    assert.throws(() => attack(machines()), { code: "KEY_UPDATE_ERROR" }, `attack ${i}`);
});

test("messages are cut right, however the bytes come", () => {
  const reader = new RekeyReader();
  const all = [1, 2].flatMap((epoch) => [
    ...encodeRekeyMessage({ type: 1, epoch, noise: new Uint8Array(256).fill(epoch) }),
  ]);
  const seen: number[] = [];
  for (const byte of all) {
    reader.push(Uint8Array.of(byte));
    for (let message = reader.next(); message; message = reader.next()) seen.push(message.epoch);
  }
  assert.deepEqual(seen, [1, 2]);
});

test("soft and hard limits at limit - 1, limit, limit + 1", () => {
  const limits = {
    ...REKEY_LIMITS,
    softPackets: 100,
    softBytes: 1000,
    hardPackets: 200,
    hardBytes: 2000,
    softForged: 5,
  };
  const middle = (): Uint8Array => Uint8Array.of(127.5); // no jitter, as nearly as one byte can say it
  const use = (count: number, bytes: number): EpochUse => {
    const one = new EpochUse(limits, middle, 0);
    for (let i = 0; i < count; i++) one.count(bytes);
    return one;
  };
  for (const [delta, reached] of [
    [-1, false],
    [0, true],
    [1, true],
  ] as const) {
    assert.equal(use(200 + delta, 0).hardReached(0), reached);
    assert.equal(use(1, 2000 + delta).hardReached(0), reached);
    assert.equal(use(0, 0).hardReached(limits.hardAgeMs + delta), reached);
    const forged = new EpochUse(limits, middle, 0);
    for (let i = 0; i < 5 + delta; i++) forged.countForged();
    assert.equal(forged.softReached(0), reached);
  }
  for (const jitter of [0, 255]) {
    const one = new EpochUse(limits, () => Uint8Array.of(jitter), 0);
    const factor = jitter === 0 ? 0.9 : 1.1;
    assert.equal(one.softReached(limits.softAgeMs * factor - 1), false);
    assert.equal(one.softReached(limits.softAgeMs * factor + 1), true);
  }
});

test("forged packets start a rekey, and only very many of them are the end", () => {
  const { initiator } = machines({ limits: { softForged: 3, hardForged: 6 } });
  for (let i = 0; i < 2; i++) initiator.rekey.onPacketForged(1);
  initiator.rekey.tick(1);
  assert.equal(initiator.rekey.takeCrypto(), undefined);
  initiator.rekey.onPacketForged(1);
  initiator.rekey.tick(1);
  assert.ok(initiator.rekey.takeCrypto());
  for (let i = 0; i < 2; i++) initiator.rekey.onPacketForged(1);
  assert.throws(() => initiator.rekey.onPacketForged(1), { code: "AEAD_LIMIT_REACHED" });
});

test("at the hard limit only keys leave; thirty seconds later the connection ends", () => {
  const { responder } = machines({ limits: { hardPackets: 2 } });
  responder.rekey.onPacketSent(100, 1000);
  assert.equal(responder.rekey.restricted, false);
  responder.rekey.onPacketSent(100, 1000);
  assert.equal(responder.rekey.restricted, true);
  responder.rekey.takeRekeyRequest();
  responder.rekey.tick(30_999);
  assert.throws(() => responder.rekey.tick(31_000), { code: "EPOCH_STUCK" });
});

test("over a hard limit the application waits for the keys it would be sent under, and no longer", () => {
  const { initiator, responder } = machines();
  const ends = [initiator, responder];
  for (const { rekey } of ends) rekey.age(REKEY_LIMITS.hardAgeMs, 1);
  const restricted = (): readonly boolean[] => ends.map(({ rekey }) => rekey.restricted);
  initiator.rekey.tick(1);
  responder.rekey.onCrypto(initiator.rekey.takeCrypto() ?? EMPTY);
  assert.deepEqual(restricted(), [true, true], "message 1 is under way: the old keys are as old as before");
  initiator.rekey.onCrypto(responder.rekey.takeCrypto() ?? EMPTY);
  assert.deepEqual([initiator.protection.sendEpoch, responder.protection.sendEpoch], [1, 0]);
  assert.deepEqual(restricted(), [false, true], "the server still sends in the old epoch");
  responder.rekey.onPacketOpened(1, 100, 2, 5);
  assert.deepEqual(restricted(), [false, false]);
});

test("a peer that never shows the new epoch does not free it from its limits", () => {
  const { initiator, responder } = machines({ limits: { hardPackets: 3 } });
  initiator.rekey.request();
  responder.rekey.onCrypto(initiator.rekey.takeCrypto() ?? EMPTY);
  for (let i = 0; i < 3; i++) initiator.rekey.onPacketSent(100, 1);
  assert.equal(initiator.rekey.restricted, true);
  initiator.rekey.onCrypto(responder.rekey.takeCrypto() ?? EMPTY);
  // What it hears in the old epoch counts as well: it still opens that.
  initiator.rekey.onPacketSent(100, 2);
  initiator.rekey.onPacketOpened(0, 100, 2, 5);
  assert.equal(initiator.rekey.restricted, false, "one packet before the limit");
  initiator.rekey.onPacketSent(100, 2);
  assert.equal(initiator.rekey.restricted, true);
  initiator.rekey.onPacketOpened(1, 100, 3, 5);
  assert.equal(initiator.rekey.restricted, true, "a late proof is no renewal");
  initiator.rekey.tick(30_001);
  assert.throws(() => initiator.rekey.tick(30_002), { code: "EPOCH_STUCK" });
});

/** An active thief in the server's place at the next rekey. */
function thief(options: Parameters<typeof machines>[0]): void {
  const { initiator, responder } = machines(options);
  initiator.rekey.request();
  const first = initiator.rekey.takeCrypto() ?? EMPTY;
  // He cannot even read the question without the static key; with it he still lacks the other lock.
  responder.rekey.onCrypto(first);
  initiator.rekey.onCrypto(responder.rekey.takeCrypto() ?? EMPTY);
}

test("two locks: neither the channel's secrets nor the bond and the static keys alone survive a rekey", () => {
  const random = new SeededRandom(32).bytes;
  const healed = { code: "KEY_UPDATE_ERROR" };
  assert.throws(
    () => thief({ serverKey: nativeCrypto.x25519KeyPair(random(32)) }),
    healed,
    "session keys, exporter, psk",
  );
  assert.throws(() => thief({ serverExporter: random(32) }), healed, "static keys and psk");
  assert.throws(() => thief({ serverPsk: random(32) }), healed, "static keys and exporter");
  assert.doesNotThrow(() => thief({}), "all of them: that is not a thief but the peer");
});

test("a late packet of the old epoch opens until three probe timeouts have passed, not after", () => {
  for (const [at, opens] of [
    [24.9, true],
    [25, false],
  ] as const) {
    const { initiator, responder } = machines();
    const late = new Uint8Array(60);
    initiator.protection.seal(late, 0, 31, 0);
    initiator.rekey.request();
    responder.rekey.onCrypto(initiator.rekey.takeCrypto() ?? EMPTY);
    initiator.rekey.onCrypto(responder.rekey.takeCrypto() ?? EMPTY);
    responder.rekey.onPacketOpened(1, 100, 10, 5);
    responder.rekey.tick(at);
    assert.equal(responder.protection.open(late) !== undefined, opens, `${at}`);
    assert.equal(responder.protection.drops.epoch, opens ? 0 : 1);
  }
});

async function connected(options: Omit<WorldOptions, "endpoint"> & { readonly limits?: Partial<RekeyLimits> }) {
  const rekeyLimits = { ...REKEY_LIMITS, ...options.limits };
  const world = new ChannelWorld({ ...options, endpoint: { rekeyLimits, keepAlive: true } });
  return { world, ...(await world.connected()) };
}

for (const [name, limits] of [
  ["age", { softAgeMs: 5_000 }],
  ["bytes", { softBytes: 200_000 }],
  ["packets", { softPackets: 200 }],
] as const)
  test(`keys are renewed by ${name}`, async () => {
    const { world, client, server } = await connected({ seed: 41, limits });
    const bytes = world.random.bytes(1024 * 1024);
    assert.deepEqual(await world.until(transfer(client, server, bytes)), bytes);
    await world.clock.runUntilAsync(() => client.stats().epoch > 0 && server.stats().epoch > 0, 30_000);
    assert.ok(client.stats().epoch > 0);
    assert.equal(client.stats().epoch, server.stats().epoch);
    assert.equal(client.closeInfo, undefined);
  });

test("either end renews the keys on demand", async () => {
  const { world, client, server } = await connected({ seed: 42 });
  assert.deepEqual(await world.until(client.rekey()), { epoch: 1 });
  await world.clock.runUntilAsync(() => false, 2_000);
  assert.deepEqual(await world.until(server.rekey()), { epoch: 2 });
  await world.clock.runUntilAsync(() => false, 2_000);
  const both = await world.until(Promise.all([client.rekey(), server.rekey()]));
  assert.deepEqual(both, [{ epoch: 3 }, { epoch: 3 }]);
});

test("fifty rekeys in a row, with data under way, wrap the epoch bits many times", async () => {
  const { world, client, server } = await connected({
    seed: 43,
    link: { ...GOOD_LINK, delayMs: 5, jitterMs: 8, loss: 0.02 },
  });
  const bytes = world.random.bytes(2 * 1024 * 1024);
  const moved = transfer(client, server, bytes);
  for (let epoch = 1; epoch <= 50; epoch++) assert.deepEqual(await world.until(client.rekey()), { epoch });
  assert.ok(Buffer.from(await world.until(moved)).equals(bytes));
  assert.equal(client.closeInfo, undefined);
});

test("rekeys survive 30 % loss, reordering and corruption", async () => {
  await withSeeds(20, async (seed) => {
    const { world, client, server } = await connected({ seed, link: TERRIBLE_LINK });
    const bytes = world.random.bytes(64 * 1024);
    const moved = transfer(server, client, bytes);
    for (let epoch = 1; epoch <= 5; epoch++) await world.until(epoch % 2 === 0 ? client.rekey() : server.rekey());
    assert.ok(Buffer.from(await world.until(moved)).equals(bytes));
    assert.equal(client.closeInfo ?? server.closeInfo, undefined);
  });
});

test("a stranger's epoch bits are a counted drop, nothing more", async () => {
  const { world, client, server } = await connected({ seed: 44 });
  let flipped = 0;
  world.network.tap = (bytes) => {
    if ((bytes[0] ?? 0) >> 6 !== 1 || flipped >= 20) return [bytes];
    flipped++;
    const bad = bytes.slice();
    bad[0] = (bad[0] ?? 0) ^ 0x20;
    return [bytes, bad];
  };
  const bytes = world.random.bytes(100_000);
  assert.deepEqual(await world.until(transfer(client, server, bytes)), bytes);
  const { drops } = world.server.endpoint;
  assert.ok(drops.epoch > 0);
  assert.equal(drops.forged, 0);
});

test("without fresh keys the server stops sending at the hard limit and then says why", async () => {
  const { world, client, server } = await connected({
    seed: 45,
    limits: { softPackets: 1e9, softBytes: 1e9, hardPackets: 150, hardBytes: 1e9 },
  });
  const moved = transfer(client, server, world.random.bytes(1024 * 1024));
  moved.catch(() => {});
  const start = world.clock.now();
  await world.clock.runUntilAsync(() => client.closeInfo !== undefined && server.closeInfo !== undefined, 60_000);
  assert.ok(world.clock.now() - start >= 30_000);
  const codes = [client.closeInfo?.error?.code, server.closeInfo?.error?.code];
  assert.ok(
    codes.every((code) => code === "EPOCH_STUCK"),
    String(codes),
  );
  assert.ok(client.stats().packetsSent < 400);
});

const STEPS: Readonly<Record<string, (from: string, epoch: number) => boolean>> = {
  "message 1": (from, epoch) => from === CLIENT.host && epoch === 0,
  "message 2": (from, epoch) => from === SERVER.host && epoch === 0,
  "the client's first packet of the new epoch": (from, epoch) => from === CLIENT.host && epoch === 1,
  "the server's first packet of the new epoch": (from, epoch) => from === SERVER.host && epoch === 1,
};

for (const [name, isStep] of Object.entries(STEPS))
  test(`a rekey survives the loss of ${name}, up to five times in a row`, async () => {
    for (let losses = 0; losses <= 5; losses++) {
      const { world, client, server } = await connected({ seed: 46 + losses });
      await world.clock.runUntilAsync(() => false, 100);
      let left = losses;
      world.network.tap = (bytes, from) => {
        if (left === 0 || !isStep(from.host, ((bytes[0] ?? 0) >> 4) & 3)) return [bytes];
        left--;
        return [];
      };
      assert.deepEqual(await world.until(client.rekey()), { epoch: 1 });
      assert.equal(left, 0);
      await world.clock.runUntilAsync(() => server.stats().epoch === 1, 10_000);
      assert.deepEqual(await world.until(transfer(client, server, Uint8Array.of(1))), Uint8Array.of(1));
    }
  });

test("a hundred packets of the old epoch that arrive after the new one are read all the same", async () => {
  const { world, client, server } = await connected({ seed: 47 });
  // A window that has room for all of them.
  await world.until(transfer(client, server, new Uint8Array(2 * 1024 * 1024)));
  await world.clock.runUntilAsync(() => false, 100);
  const held: Uint8Array[] = [];
  let hold = true;
  world.network.tap = (bytes, from) => {
    // Large packets of epoch 0 wait until the client sends in epoch 1; the small ones carry the rekey.
    if (hold && from.host === CLIENT.host && (bytes[0] ?? 0) >> 4 === 4 && bytes.length > 400 && held.length < 100) {
      held.push(bytes);
      return [];
    }
    return [bytes];
  };
  const seen: number[] = [];
  void (async () => {
    for await (const bytes of server.datagrams()) seen.push(bytes[0] ?? 0);
  })();
  for (let i = 0; i < 100; i++) {
    client.sendDatagram(new Uint8Array(500).fill(i));
    await world.clock.runUntilAsync(() => held.length > i, 5);
  }
  const count = held.length;
  assert.equal(count, 100);
  await world.until(client.rekey());
  hold = false;
  for (const [i, bytes] of held.entries()) {
    world.network.inject(bytes, CLIENT, SERVER);
    // The queue of datagrams holds 64 KiB: the reader has its turn now and then.
    if (i % 10 === 9) await world.clock.runUntilAsync(() => false, 1);
  }
  await world.clock.runUntilAsync(() => seen.length === count, 20);
  assert.equal(seen.length, count);
  assert.equal(server.closeInfo, undefined);
});

test("rekeying goes on while the window is shut, and ends with the connection", async () => {
  const { world, client, server } = await connected({ seed: 48 });
  const stream = await client.openStream();
  void stream.write(new Uint8Array(3 * 1024 * 1024)).catch(() => {});
  await world.clock.runUntilAsync(() => false, 2_000);
  const before = client.stats().bytesSent;
  assert.deepEqual(await world.until(client.rekey()), { epoch: 1 });
  assert.ok(client.stats().bytesSent - before < 5_000, "the application does not read, so nothing else moves");
  await world.clock.runUntilAsync(() => false, 1_000);
  const rekey = client.rekey();
  client.abort("enough");
  await assert.rejects(world.until(rekey), { code: "CLOSED" });
  assert.equal((await world.until(server.closed)).error, undefined);
});

test("who has stolen the keys of one epoch reads that epoch, and nothing after the next rekey", async () => {
  const lines: string[] = [];
  const world = new ChannelWorld({ seed: 49, endpoint: { keyLog: (line) => lines.push(line) } });
  const wire: Uint8Array[] = [];
  world.network.tap = (bytes) => {
    wire.push(bytes);
    return [bytes];
  };
  const { client, server } = await world.connected();
  await world.until(transfer(client, server, world.random.bytes(3000)));
  const stolen = parseKeyLog(lines.join("\n"));
  await world.until(client.rekey());
  const rekeyed = wire.length;
  await world.until(transfer(client, server, world.random.bytes(3000)));
  const reads = (bytes: Uint8Array, secrets: readonly LoggedSecret[]): boolean =>
    decodeDatagram(bytes, nativeCrypto, secrets).length > 1;
  const data = wire.slice(2);
  assert.ok(data.slice(0, 3).every((bytes) => reads(bytes, stolen)));
  const after = wire.slice(rekeyed);
  assert.ok(after.length > 3);
  assert.ok(after.every((bytes) => !reads(bytes, stolen)));
  assert.ok(after.every((bytes) => reads(bytes, parseKeyLog(lines.join("\n")))));
});
