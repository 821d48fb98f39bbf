import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bond } from "#bonds/bond.js";
import { NodeSession } from "#device/nodeSession.node.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import type { Session } from "#transport/session.js";
import type { SessionStream } from "#transport/sessionStream.js";
import { ChannelWorld } from "../support/channel.js";
import { firstOf, readAll, transfer } from "../support/streams.js";

const ONE = { ...DEFAULT_PARAMETERS, maxStreamsBidi: 1 };

test("wait: false: no stream is an error at once, and the peer hears of nobody who waits", async () => {
  const world = new ChannelWorld({ seed: 1, endpoint: { parameters: ONE } });
  const { client } = await world.connected();
  const first = await client.openStream({ wait: false });
  await assert.rejects(client.openStream({ wait: false }), { code: "STREAMS_EXHAUSTED" });
  await client.openStream({ wait: false, unidirectional: true });
  await world.clock.runUntilAsync(() => false, 5000);
  assert.equal(client.stats().streamBlockedMs, 0);
  // Nor of somebody who has given up; and who waits beside him still gets the next one.
  const giveUp = new AbortController();
  const rejected = assert.rejects(client.openStream({ signal: giveUp.signal }), /enough/);
  await world.clock.runUntilAsync(() => false, 1000);
  giveUp.abort(new Error("enough"));
  await world.until(rejected);
  await world.clock.runUntilAsync(() => false, 100);
  const { streamBlockedMs } = client.stats();
  assert.ok(streamBlockedMs >= 900);
  await world.clock.runUntilAsync(() => false, 5000);
  assert.equal(client.stats().streamBlockedMs, streamBlockedMs);

  const patient = client.openStream();
  const hasty = new AbortController();
  const aborted = assert.rejects(client.openStream({ signal: hasty.signal }), /now/);
  hasty.abort(new Error("now"));
  await world.until(aborted);
  await world.clock.runUntilAsync(() => false, 5000);
  assert.ok(client.stats().streamBlockedMs > streamBlockedMs + 4000, "one waits");
  first.reset(1);
  assert.equal((await world.until(patient)).id, 4);
});

test("whoever listens to `stream` gets every stream, those before as well, and the iterator none", async () => {
  const world = new ChannelWorld({ seed: 2 });
  const { client, server } = await world.connected();
  for (let i = 0; i < 3; i++) await (await client.openStream()).write(Uint8Array.of(i));
  await world.clock.runUntilAsync(() => false, 50);
  const heard: SessionStream[] = [];
  const listener = (stream: SessionStream): unknown => heard.push(stream);
  server.on("stream", listener);
  assert.equal(heard.length, 0, "not before the caller is done");
  await world.clock.runUntilAsync(() => false, 1);
  assert.deepEqual(
    heard.map(({ id }) => id),
    [0, 4, 8],
  );
  await (await client.openStream()).write(Uint8Array.of(3));
  await world.clock.runUntilAsync(() => heard.length === 4, 50);
  assert.equal(heard.length, 4);
  server.off("stream", listener);
  const next = firstOf(server.incomingStreams());
  await (await client.openStream()).write(Uint8Array.of(4));
  assert.equal((await world.until(next)).id, 16);
});

test("datagrams as a stream of the web: in order, only for who reads, ended by the session", async () => {
  const world = new ChannelWorld({ seed: 3 });
  const { client, server } = await world.connected();
  const reader = server.readableDatagrams.getReader();
  assert.equal(server.readableDatagrams, server.readableDatagrams);
  for (let i = 0; i < 3; i++) client.sendDatagram(Uint8Array.of(i));
  for (let i = 0; i < 3; i++) assert.deepEqual((await world.until(reader.read())).value, Uint8Array.of(i));
  // Nobody reads: the queue stays bounded, and the oldest are lost.
  for (let i = 0; i < 2000; i++) {
    client.sendDatagram(new Uint8Array(2).fill(i));
    if (i % 100 === 0) await world.clock.runUntilAsync(() => false, 5);
  }
  await world.clock.runUntilAsync(() => false, 200);
  assert.ok(server.stats().datagramsUnread >= 2000 - 1024);
  await world.until(client.close());
  let left = 0;
  for (;;) {
    const { done } = await world.until(reader.read());
    if (done) break;
    left++;
  }
  assert.ok(left > 0 && left <= 1024, `${left}`);
});

test("a stream says when it is over: both halves done, or the session", async () => {
  const world = new ChannelWorld({ seed: 4 });
  const { client, server } = await world.connected();
  const [ours, theirs] = [await client.openStream(), firstOf(server.incomingStreams())];
  let over = 0;
  void ours.closed.then(() => over++);
  await ours.write(Uint8Array.of(1));
  const accepted = await world.until(theirs);
  await world.until(ours.end());
  assert.deepEqual(await world.until(readAll(accepted)), Uint8Array.of(1));
  await world.clock.runUntilAsync(() => false, 100);
  assert.equal(over, 0, "the other direction is open");
  await world.until(accepted.end());
  assert.deepEqual(await world.until(readAll(ours)), new Uint8Array());
  await world.until(ours.closed);
  await world.until(accepted.closed);
  const reset = await client.openStream();
  reset.reset(9);
  await world.until(reset.closed);
  const open = await client.openStream();
  client.abort();
  await world.until(open.closed);
  await world.until(open.closed);
});

test("a stream of Node that the peer drops, or that dies with its session, does not end a program that looks away", async () => {
  const world = new ChannelWorld({ seed: 7 });
  const { client, server } = await world.connected();
  const bond = { name: "Laptop", platform: "test" } as Bond;
  const node = new NodeSession({ session: server, bond, device: "0011223344556677", first: false });
  const closed: number[] = [];
  const errors: unknown[] = [];
  let count = 0;
  node.on("stream", (stream) => {
    const number = count++;
    stream.pipe(stream);
    stream.on("close", () => closed.push(number));
    if (number === 1) stream.on("error", (error: Error & { code?: string }) => errors.push(error.code));
  });
  for (let i = 0; i < 4; i++) {
    const stream = await client.openStream();
    await stream.write(Uint8Array.of(i));
    await world.clock.runUntilAsync(() => count === i + 1, 100);
    if (i < 2) stream.reset(3);
  }
  await world.clock.runUntilAsync(() => closed.length === 2, 1000);
  client.abort();
  await world.until(server.closed);
  await world.clock.runUntilAsync(() => closed.length === 4, 1000);
  assert.deepEqual(closed, [0, 1, 2, 3]);
  assert.deepEqual(errors, ["STREAM_RESET"], "who listens hears of it");
});

/** Everything that a session tells of. */
function listen(session: Pick<Session, "on"> | Pick<NodeSession, "on">): string[] {
  const heard: string[] = [];
  const { on } = session as Pick<Session, "on">;
  const note = (name: string) => () => heard.push(name);
  for (const name of ["rekeyed", "path", "resumed", "replaced", "closed"] as const) on.call(session, name, note(name));
  return heard;
}

test("sleep and replacement are told, also by the sessions of Node", async () => {
  const world = new ChannelWorld({ seed: 5 });
  const { client, server } = await world.connected();
  const bond = { name: "PC", platform: "test" } as Bond;
  const node = new NodeSession({ session: client, bond, device: "0011223344556677", first: false });
  const [inside, outside, far] = [listen(client), listen(node), listen(server)];
  let hidden = 0;
  node.on("resumed", ({ hiddenMs }) => {
    hidden = hiddenMs;
  });
  world.client.endpoint.resume(world.clock.now(), 5000);
  await world.until(node.rekey({ signal: AbortSignal.timeout(60_000) }));
  await world.clock.runUntilAsync(() => false, 50);
  assert.equal(hidden, 5000);
  world.dial();
  await world.until(server.closed);
  await world.until(client.closed);
  assert.deepEqual(inside, ["resumed", "rekeyed", "replaced", "closed"]);
  assert.deepEqual(outside, inside);
  assert.deepEqual(far, ["rekeyed", "replaced", "closed"]);
});

test("Node's sessions: streams by event, datagrams for the web, a wait that can be given up, an abrupt end", async () => {
  const world = new ChannelWorld({ seed: 6, endpoint: { parameters: { ...DEFAULT_PARAMETERS, maxStreamsBidi: 2 } } });
  const { client, server } = await world.connected();
  const bond = { name: "Laptop", platform: "test" } as Bond;
  const node = new NodeSession({ session: server, bond, device: "0011223344556677", first: false });
  const chunks: Buffer[] = [];
  node.on("stream", (stream) => stream.on("data", (chunk: Buffer) => chunks.push(chunk)));
  const stream = await client.openStream();
  await stream.write(Uint8Array.of(1, 2, 3));
  await world.clock.runUntilAsync(() => chunks.length > 0, 100);
  assert.deepEqual(Buffer.concat(chunks), Buffer.of(1, 2, 3));
  // Who listens no longer leaves streams to the iterator.
  const listener = (): void => {};
  const other = new NodeSession({ session: client, bond, device: "8899aabbccddeeff", first: false });
  other.on("stream", listener).off("stream", listener);
  const forIterator = firstOf(other.incomingStreams());
  const opened = await node.openStream();
  opened.write("x");
  await world.until(forIterator);
  const reader = node.readableDatagrams.getReader();
  client.sendDatagram(Uint8Array.of(7));
  assert.deepEqual((await world.until(reader.read())).value, Uint8Array.of(7));
  assert.ok(node.maxDatagramSize > 1000);
  await node.openStream({ wait: false });
  await assert.rejects(node.openStream({ wait: false }), { code: "STREAMS_EXHAUSTED" });
  world.network.tap = () => [];
  await assert.rejects(node.rekey({ signal: AbortSignal.abort(new Error("not now")) }), /not now/);
  world.network.tap = undefined;
  node.abort("enough");
  assert.equal((await world.until(client.closed)).reason, "enough");
  await assert.rejects(transfer(client, server, new Uint8Array(1)), { code: "CLOSED" });
});
