import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME } from "#transport/frames.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { GOOD_LINK } from "../simulation/network.js";
import { ChannelWorld, CLIENT } from "../support/channel.js";
import { frame, HostileClient } from "../support/hostile.js";
import { firstOf, readAll, transfer } from "../support/streams.js";

// Single situations that quinn-proto and s2n-quic found worth a test of their own, by their names there.

const X = Uint8Array.of(0x78);

test("instant_close: a client that closes as soon as it is connected says so", async () => {
  const world = new ChannelWorld({ seed: 1 });
  world.dial();
  await world.clock.runUntilAsync(() => world.client.session !== undefined, 100);
  void world.client.session?.close({ code: 3, reason: "at once" });
  await world.clock.runUntilAsync(() => world.server.session?.closeInfo !== undefined, 5_000);
  assert.equal(world.server.session?.closeInfo?.code, 3);
});

test("instant_server_close: a server that closes as soon as it is connected says so", async () => {
  const world = new ChannelWorld({ seed: 2 });
  world.dial();
  await world.clock.runUntilAsync(() => world.server.session !== undefined, 100);
  void world.server.session?.close({ code: 4, reason: "not now" });
  await world.clock.runUntilAsync(() => world.client.session?.closeInfo !== undefined, 5_000);
  assert.equal(world.client.session?.closeInfo?.code, 4);
});

test("cancelled dial: nothing follows, and a late Response is ignored", async () => {
  const world = new ChannelWorld({ seed: 3, link: { ...GOOD_LINK, delayMs: 50 } });
  world.dial();
  await world.clock.runUntilAsync(() => false, 60);
  world.client.endpoint.cancel(1);
  await world.clock.runUntilAsync(() => false, 20_000);
  assert.deepEqual(world.client.events, []);
  assert.equal(world.client.endpoint.drops.unexpected, 1);
  assert.equal(world.server.endpoint.connections, 0, "the half-open one is gone as well");
});

test("stop_opens_bidi: STOP_SENDING for a stream that nobody has seen opens it", async () => {
  const attacker = new HostileClient(new ChannelWorld({ seed: 4 }));
  attacker.send(frame(FRAME.STOP_SENDING, [0, 9]));
  const stream = await firstOf(attacker.victim.incomingStreams());
  assert.equal(stream.id, 0);
  await assert.rejects(stream.write(X), { code: "STREAM_RESET", resetCode: 9 });
  assert.ok(attacker.seen.some((seen) => seen.kind === "numbers" && seen.type === FRAME.RESET_STREAM));
});

test("implicit_open: a stream opens those of its kind below it, in order", async () => {
  const attacker = new HostileClient(new ChannelWorld({ seed: 5 }));
  attacker.send(frame(0x0a, [8, 1], X));
  const ids: number[] = [];
  for await (const stream of attacker.victim.incomingStreams()) {
    ids.push(stream.id);
    if (ids.length === 3) break;
  }
  assert.deepEqual(ids, [0, 4, 8]);
});

test("stream_flow_control, conn_flow_control: to the last byte, and no further", async () => {
  const attacker = new HostileClient(new ChannelWorld({ seed: 6 }));
  const fill = (id: number, size: number): void => {
    for (let at = 0; at < size; at += 32 * 1024)
      attacker.send(
        frame(0x0e, [id, at, Math.min(32 * 1024, size - at)], new Uint8Array(Math.min(32 * 1024, size - at))),
      );
  };
  for (const id of [0, 4, 8, 12]) fill(id, DEFAULT_PARAMETERS.maxStreamDataBidiRemote);
  assert.equal(attacker.victim.closeInfo, undefined, "four streams' windows are the connection's");
  attacker.send(frame(0x0a, [16, 1], X));
  assert.equal(attacker.closedWith, 0x03);
});

test("deduplicate: a packet that comes twice counts once", async () => {
  const world = new ChannelWorld({ seed: 7, link: { ...GOOD_LINK, duplicate: 1 } });
  const { client, server } = await world.connected();
  const bytes = world.random.bytes(100_000);
  assert.ok(Buffer.from(await world.until(transfer(client, server, bytes))).equals(bytes));
  const { drops } = world.server.endpoint;
  assert.ok(drops.duplicate >= server.stats().packetsReceived);
  assert.equal(drops.forged, 0);
});

test("datagram_recv_buffer_overflow: the newest 64 KiB wait for a reader that is slow", async () => {
  const attacker = new HostileClient(new ChannelWorld({ seed: 8 }));
  for (let i = 0; i < 100; i++) attacker.send(frame(FRAME.DATAGRAM_WITH_LENGTH, [1000], new Uint8Array(1000).fill(i)));
  attacker.send(frame(FRAME.APPLICATION_CLOSE, [0, 0]));
  const seen: number[] = [];
  for await (const bytes of attacker.victim.datagrams()) seen.push(bytes[0] ?? 0);
  assert.equal(seen.length, 65);
  assert.deepEqual([seen[0], seen.at(-1)], [35, 99]);
});

test("blackhole: a gap just under the idle timeout is survived, one just over it is not", async () => {
  for (const [gapMs, survives] of [
    [28_000, true],
    [36_000, false],
  ] as const) {
    const world = new ChannelWorld({ seed: 9, link: { ...GOOD_LINK, delayMs: 10 } });
    const { client, server } = await world.connected();
    const bytes = world.random.bytes(400_000);
    const moved = transfer(client, server, bytes);
    moved.catch(() => {});
    await world.clock.runUntilAsync(() => false, 50);
    world.network.link = { ...GOOD_LINK, loss: 1 };
    await world.clock.runUntilAsync(() => false, gapMs);
    world.network.link = GOOD_LINK;
    if (survives) assert.ok(Buffer.from(await world.until(moved)).equals(bytes));
    else await assert.rejects(world.until(moved), { code: "IDLE" });
  }
});

test("rebind_before_confirmation: the first data packet comes from another address than the Init", async () => {
  const world = new ChannelWorld({ seed: 10, link: { ...GOOD_LINK, delayMs: 20 } });
  world.dial();
  await world.clock.runUntilAsync(() => world.client.session !== undefined, 100);
  // The Response is here, the first data packet leaves in this moment.
  world.client.socket.rebind({ ...CLIENT, port: 9 });
  const { session: client } = world.client;
  await world.clock.runUntilAsync(() => world.server.session !== undefined, 5_000);
  const { session: server } = world.server;
  assert.ok(client && server);
  assert.deepEqual(await world.until(transfer(server, client, Uint8Array.of(1, 2))), Uint8Array.of(1, 2));
  assert.equal(server.path.port, 9);
});

test("finish_retransmit: the end of a stream is repeated until it arrives", async () => {
  const world = new ChannelWorld({ seed: 11 });
  const { client, server } = await world.connected();
  const incoming = firstOf(server.incomingStreams());
  const stream = await client.openStream();
  await stream.write(X);
  const theirs = await world.until(incoming);
  world.network.link = { ...GOOD_LINK, loss: 1 };
  void stream.end();
  await world.clock.runUntilAsync(() => false, 3_000);
  world.network.link = GOOD_LINK;
  assert.deepEqual(await world.until(readAll(theirs)), X);
});

test("repeated_request_response: 300 requests one after the other cost 300 round trips", async () => {
  const world = new ChannelWorld({ seed: 12, link: { ...GOOD_LINK, delayMs: 5 } });
  const { client, server } = await world.connected();
  void (async () => {
    for await (const stream of server.incomingStreams())
      void readAll(stream).then((bytes) => stream.write(bytes).then(() => stream.end()));
  })();
  const start = world.clock.now();
  for (let i = 0; i < 300; i++) {
    const stream = await client.openStream();
    void stream.write(Uint8Array.of(i)).then(() => stream.end());
    assert.deepEqual(await world.until(readAll(stream)), Uint8Array.of(i));
  }
  const took = world.clock.now() - start;
  assert.ok(took < 300 * 10 * 1.1, `${took} ms`);
});

test("cid_rotation: a client that moves often never runs out of connection IDs", async () => {
  const world = new ChannelWorld({ seed: 13, link: { ...GOOD_LINK, delayMs: 2 } });
  const { client, server } = await world.connected();
  const ids = new Set<string>();
  world.network.tap = (bytes, from) => {
    if (from.host === CLIENT.host && (bytes[0] ?? 0) >> 6 === 1) ids.add(String(bytes.subarray(1, 9)));
    return [bytes];
  };
  for (let i = 1; i <= 50; i++) {
    world.client.socket.rebind({ ...CLIENT, port: 1000 + i });
    world.client.endpoint.networkChanged(world.clock.now());
    world.client.pump.turn();
    await world.clock.runUntilAsync(() => server.path.port === 1000 + i, 1_000);
    // The next spare one was sent to the old address, so it takes a probe timeout.
    await world.clock.runUntilAsync(() => false, 500);
  }
  assert.equal(server.path.port, 1050);
  assert.equal(ids.size, 50);
  assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
});
