import assert from "node:assert/strict";
import { test } from "node:test";
import { IdleTimer, idleTimeout } from "#transport/idle.js";
import type { Session } from "#transport/session.js";
import { buildReset, endsWithToken, resetToken } from "#transport/statelessReset.js";
import { GOOD_LINK, TERRIBLE_LINK } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { ChannelWorld, CLIENT, SERVER } from "../support/channel.js";
import { firstOf, readAll, transfer } from "../support/streams.js";

const code = (session: Session): string | undefined => session.closeInfo?.error?.code;

test("silence ends a connection after the idle timeout, not before", async () => {
  const world = new ChannelWorld({ seed: 51 });
  const { client, server } = await world.connected();
  await world.clock.runUntilAsync(() => false, 100);
  await world.clock.runUntilAsync(() => false, 29_000);
  assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
  const sent = world.network.counters.sent;
  await world.clock.runUntilAsync(() => client.closeInfo !== undefined && server.closeInfo !== undefined, 2_000);
  assert.deepEqual([code(client), code(server)], ["IDLE", "IDLE"]);
  assert.equal(world.network.counters.sent, sent, "an idle connection sends nothing, not even a goodbye");
  assert.equal((await client.closed).remote, true);
});

test("of two idle timeouts the smaller counts, and none is no timeout", () => {
  assert.deepEqual([idleTimeout(3, 5), idleTimeout(5, 3), idleTimeout(0, 5), idleTimeout(5, 0)], [3, 3, 5, 5]);
  assert.equal(idleTimeout(0, 0), 0);
});

test("the idle timer at its edges", () => {
  const timer = new IdleTimer(30_000, 0);
  assert.equal(timer.expiresAt(10), 30_000);
  assert.equal(timer.expiresAt(20_000), 60_000, "never less than three probe timeouts");
  timer.onReceived(1_000);
  assert.equal(timer.expiresAt(10), 31_000);
  timer.onElicitingSent(5_000);
  timer.onElicitingSent(9_000);
  assert.equal(timer.expiresAt(10), 35_000, "only the first packet sent after hearing something counts");
  assert.equal(timer.keepAliveAt, Number.POSITIVE_INFINITY);
  timer.onReceived(10_000);
  assert.equal(timer.keepAliveAt, 20_000);
  assert.equal(new IdleTimer(0, 0).expiresAt(10), Number.POSITIVE_INFINITY);
});

test("an open stream, or keepAlive, keeps a silent connection", async () => {
  for (const keepAlive of [false, true]) {
    const world = new ChannelWorld({ seed: 52, endpoint: { keepAlive } });
    const { client, server } = await world.connected();
    if (!keepAlive) await client.openStream();
    const before = world.network.counters.sent;
    await world.clock.runUntilAsync(() => false, 300_000);
    assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
    assert.ok(
      world.network.counters.sent - before <= 4 * 30 + 4,
      "a PING and an ACK every ten seconds from either end",
    );
  }
});

test("a peer that is gone is noticed within the idle timeout", async () => {
  const world = new ChannelWorld({ seed: 53, endpoint: { keepAlive: true } });
  const { client } = await world.connected();
  world.network.link = { ...GOOD_LINK, loss: 1 };
  const start = world.clock.now();
  await world.clock.runUntilAsync(() => client.closeInfo !== undefined, 100_000);
  assert.equal(code(client), "IDLE");
  const took = world.clock.now() - start;
  assert.ok(took >= 29_900 && took < 45_000, `${took} ms`);
});

test("close says why, sends what was written first, and the peer sees code and reason", async () => {
  const world = new ChannelWorld({ seed: 54, link: { ...TERRIBLE_LINK, loss: 0.1 } });
  const { client, server } = await world.connected();
  const bytes = world.random.bytes(100_000);
  const received = (async () => readAll(await firstOf(server.incomingStreams())))();
  const stream = await client.openStream();
  await stream.write(bytes);
  void stream.end();
  const closed = client.close({ code: 42, reason: "enough" });
  assert.ok(Buffer.from(await world.until(received)).equals(bytes));
  await world.until(closed);
  const seen = await world.until(server.closed);
  assert.deepEqual(seen, { error: undefined, code: 42, reason: "enough", remote: true });
  assert.deepEqual(await client.closed, { error: undefined, code: 42, reason: "enough", remote: false });
  await assert.rejects(client.openStream(), { code: "CLOSED" });
  assert.equal(client.sendDatagram(Uint8Array.of(1)), false);
});

test("after closing, the frame is repeated to a peer that still talks: after 1, 2, 4, 8 packets", async () => {
  const world = new ChannelWorld({ seed: 55 });
  const { client, server } = await world.connected();
  let goodbyes = 0;
  world.network.tap = (bytes, from) => {
    if (from.host !== CLIENT.host) return [bytes];
    goodbyes++;
    return [];
  };
  void client.close();
  for (let i = 0; i < 16; i++) server.sendDatagram(Uint8Array.of(i));
  await world.clock.runUntilAsync(() => false, 15);
  assert.ok(goodbyes >= 1 && goodbyes <= 6, `${goodbyes}`);
});

test("a server that restarted answers with a reset, and the client knows at once", async () => {
  const world = new ChannelWorld({ seed: 56, endpoint: { keepAlive: true } });
  const { client } = await world.connected();
  world.restartServer();
  const start = world.clock.now();
  const stream = await client.openStream();
  await stream.write(Uint8Array.of(1));
  await world.clock.runUntilAsync(() => client.closeInfo !== undefined, 60_000);
  assert.equal(code(client), "CONNECTION_REFUSED");
  assert.ok(world.clock.now() - start < 100);
  const again = await world.connected();
  assert.deepEqual(await world.until(transfer(again.client, again.server, Uint8Array.of(5))), Uint8Array.of(5));
});

test("a reset with another key, or sent by a stranger, changes nothing", async () => {
  const world = new ChannelWorld({ seed: 57 });
  const { client } = await world.connected();
  world.restartServer({ resetKey: world.random.bytes(32) });
  client.sendDatagram(Uint8Array.of(1));
  for (let i = 0; i < 50; i++) {
    const forged = world.random.bytes(43);
    forged[0] = 0x40;
    world.network.inject(forged, SERVER, CLIENT);
  }
  await world.clock.runUntilAsync(() => false, 2_000);
  assert.equal(client.closeInfo, undefined);
});

test("a reset is 43 bytes, answers 44 or more, and nothing answers a reset", () => {
  const random = new SeededRandom(1).bytes;
  const token = random(16);
  assert.equal(buildReset(token, 43, random), undefined);
  const reset = buildReset(token, 44, random) ?? new Uint8Array();
  assert.equal(reset.length, 43);
  assert.equal((reset[0] ?? 0) >> 6, 1);
  assert.equal(endsWithToken(reset, token), true);
  assert.equal(buildReset(token, reset.length, random), undefined);
  assert.equal(buildReset(token, 1500, random)?.length, 43);
});

test("each connection ID has its own reset token", () => {
  const world = new ChannelWorld({ seed: 58 });
  const key = world.random.bytes(32);
  const tokens = new Set(
    Array.from({ length: 100 }, () => String(resetToken(world.crypto, key, world.random.bytes(8)))),
  );
  assert.equal(tokens.size, 100);
});

test("datagrams arrive whole and once, or not at all", async () => {
  const world = new ChannelWorld({ seed: 59, link: { ...TERRIBLE_LINK, loss: 0.1 } });
  const { client, server } = await world.connected();
  const seen: number[] = [];
  void (async () => {
    for await (const bytes of server.datagrams()) {
      assert.equal(bytes.length, 100);
      assert.ok(bytes.every((byte) => byte === bytes[0]));
      seen.push(bytes[0] ?? 0);
    }
  })();
  for (let i = 0; i < 200; i++) {
    assert.equal(client.sendDatagram(new Uint8Array(100).fill(i)), true);
    await world.clock.runUntilAsync(() => false, 5);
  }
  await world.clock.runUntilAsync(() => false, 1_000);
  assert.equal(new Set(seen).size, seen.length);
  assert.ok(seen.length > 120 && seen.length < 200, `${seen.length} of 200`);
});

test("a datagram of the largest size is sent, one byte more is refused", async () => {
  const world = new ChannelWorld({ seed: 60 });
  const { client, server } = await world.connected();
  const size = client.maxDatagramSize;
  assert.ok(size > 1100);
  assert.equal(client.sendDatagram(new Uint8Array(size + 1)), false);
  assert.equal(client.sendDatagram(new Uint8Array(size).fill(9)), true);
  assert.equal((await world.until(firstOf(server.datagrams()))).length, size);
});

test("a half that was ended leaves the other half open", async () => {
  const world = new ChannelWorld({ seed: 61 });
  const { client, server } = await world.connected();
  const theirs = firstOf(server.incomingStreams());
  const ours = await client.openStream();
  await ours.end();
  const stream = await world.until(theirs);
  assert.equal(await world.until(stream.read()), undefined);
  for (let i = 0; i < 10; i++) {
    await world.until(stream.write(Uint8Array.of(i)));
    await world.clock.runUntilAsync(() => false, 1_000);
    assert.deepEqual(await world.until(ours.read()), Uint8Array.of(i));
  }
  await stream.end();
  assert.equal(await world.until(ours.read()), undefined);
  await world.clock.runUntilAsync(() => client.stats().streams === 0 && server.stats().streams === 0, 5_000);
  assert.deepEqual([client.stats().streams, server.stats().streams], [0, 0]);
});

test("ten clients share one server port, each with its own bytes", async () => {
  const world = new ChannelWorld({ seed: 62, link: { ...GOOD_LINK, jitterMs: 3, loss: 0.05, duplicate: 0.02 } });
  const clients = Array.from({ length: 10 }, (_, i) => world.addClient({ host: `10.0.1.${i}`, port: 50_000 }, `c${i}`));
  for (const [i, client] of clients.entries()) {
    const psk = world.others[i]?.bond.psk ?? new Uint8Array();
    client.endpoint.connect({ to: [SERVER], peerStatic: world.serverKey.public, psk, id: "server" }, world.clock.now());
    client.pump.turn();
  }
  assert.ok(await world.clock.runUntilAsync(() => world.server.sessions.length === 10, 30_000));
  const bytes = clients.map(() => world.random.bytes(50_000));
  const moved = clients.map((client, i) => {
    const server = world.server.sessions.find((session) => session.peerId === `c${i}`);
    assert.ok(client.session && server);
    return transfer(client.session, server, bytes[i] ?? new Uint8Array());
  });
  const received = await world.until(Promise.all(moved));
  for (const [i, part] of received.entries()) assert.ok(Buffer.from(part).equals(bytes[i] ?? new Uint8Array()), `${i}`);
});

test("a device that is forgotten loses its live connection at once", async () => {
  const world = new ChannelWorld({ seed: 63 });
  const { client, server } = await world.connected();
  world.server.endpoint.revoke("client", world.clock.now());
  world.server.pump.turn();
  await world.until(client.closed);
  assert.deepEqual([code(client), code(server)], ["BOND_REVOKED", "BOND_REVOKED"]);
});

test("a datagram that has not left in time is thrown away and counted; one that has just enough time arrives", async () => {
  const world = new ChannelWorld({ seed: 31, link: { ...GOOD_LINK, delayMs: 10, rate: 125, queue: 1e6 } });
  const { client, server } = await world.connected();
  // The pacer has let a burst go: they wait for its next step, a millisecond at least.
  const stream = await client.openStream({ priority: 0 });
  void stream.write(new Uint8Array(60_000));
  world.client.pump.turn();
  client.sendDatagram(Uint8Array.of(1), { expires: 0.5 });
  client.sendDatagram(Uint8Array.of(2), { expires: 500 });
  client.sendDatagram(Uint8Array.of(3));
  const got: number[] = [];
  void (async () => {
    for await (const [first = 0] of server.datagrams()) got.push(first);
  })();
  await world.clock.runUntilAsync(() => got.length === 2, 5000);
  assert.deepEqual(got, [2, 3]);
  assert.equal(client.stats().datagramsExpired, 1);
  assert.equal(client.stats().datagramsDropped, 0);
});

test("the statistics say what happened", async () => {
  const world = new ChannelWorld({ seed: 32, link: { ...GOOD_LINK, delayMs: 20, loss: 0.05 } });
  const { client, server } = await world.connected();
  for (let i = 0; i < 70; i++) client.sendDatagram(new Uint8Array(1000));
  const received = await world.until(transfer(client, server, world.random.bytes(500_000)));
  assert.equal(received.length, 500_000);
  await world.until(client.rekey());
  const stats = client.stats();
  assert.ok(stats.minRttMs > 39.9 && stats.minRttMs <= stats.latestRttMs, `${stats.minRttMs} ${stats.latestRttMs}`);
  assert.ok((stats.handshakeMs ?? 0) > 39.9);
  assert.ok(stats.packetsLost > 0 && stats.bytesLost > 0 && stats.bytesResent > 0);
  assert.ok(stats.bytesSent >= 500_000 && (server.stats().bytesReceived ?? 0) >= 500_000);
  assert.equal(stats.datagramsDropped, 70 - 65);
  assert.equal(stats.epoch, 1);
  assert.ok(stats.epochAgeMs < 1000);
  assert.equal(stats.pathChanges, 0);
});
