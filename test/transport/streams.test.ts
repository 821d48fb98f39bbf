import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { test } from "node:test";
import { concat } from "#kernel/bytes.js";
import { StreamDuplex } from "#transport/duplex.node.js";
import type { SessionStream } from "#transport/sessionStream.js";
import { GOOD_LINK, TERRIBLE_LINK } from "../simulation/network.js";
import { ChannelWorld } from "../support/channel.js";
import { firstOf, readAll, transfer } from "../support/streams.js";

const LINK = { ...GOOD_LINK, delayMs: 5 };
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);

async function pair(seed = 1) {
  const world = new ChannelWorld({ seed, link: LINK });
  const sessions = await world.connected();
  /** A stream from the client, and its other end. */
  const stream = async (options: Parameters<typeof sessions.client.openStream>[0] = {}) => {
    const incoming = firstOf(sessions.server.incomingStreams());
    const ours = await sessions.client.openStream(options);
    await ours.write(bytesOf("hello"));
    return { ours, theirs: await world.until(incoming) };
  };
  return { world, ...sessions, stream };
}

test("a one-way stream is sent on by one end and read by the other, and nothing else", async () => {
  const { world, stream } = await pair();
  const { ours, theirs } = await stream({ unidirectional: true });
  assert.deepEqual([ours.sends, ours.receives, theirs.sends, theirs.receives], [true, false, false, true]);
  await ours.end();
  assert.equal(text(await world.until(readAll(theirs))), "hello");
  assert.equal(await ours.read(), undefined);
  await assert.rejects(theirs.write(bytesOf("x")), { code: "STREAM_ENDED" });
});

test("a one-way stream as a Duplex only writes here and only reads there, and ends without a reset", async () => {
  const { world, stream } = await pair();
  const { ours, theirs } = await stream({ unidirectional: true });
  const [writer, reader] = [new StreamDuplex(ours), new StreamDuplex(theirs)];
  assert.deepEqual([writer.readable, writer.writable, reader.readable, reader.writable], [false, true, true, false]);
  writer.end(" there");
  const chunks: Buffer[] = [];
  await world.until(
    (async () => {
      for await (const chunk of reader) chunks.push(chunk as Buffer);
    })(),
  );
  assert.equal(Buffer.concat(chunks).toString(), "hello there");
  assert.ok(writer.destroyed || writer.writableFinished);
  assert.equal(writer.errored ?? reader.errored, null);
});

test("a reset tells the reader the code, a stop tells the writer", async () => {
  const { world, stream } = await pair();
  const one = await stream();
  one.ours.resetSending(77);
  await assert.rejects(world.until(readAll(one.theirs)), { code: "STREAM_RESET", resetCode: 77 });
  await assert.rejects(one.ours.write(bytesOf("x")), { code: "STREAM_RESET" });
  await world.until(one.theirs.write(bytesOf("still open")));
  assert.equal(text(await world.until(one.ours.read())), "still open");

  const two = await stream();
  two.theirs.stopReceiving(88);
  await assert.rejects(two.theirs.read(), { code: "STREAM_ENDED" });
  await world.clock.runUntilAsync(() => false, 100);
  await assert.rejects(two.ours.write(bytesOf("x")), { code: "STREAM_RESET", resetCode: 88 });
});

test("stop crossing the end of the stream leaks nothing", async () => {
  const { world, client, server, stream } = await pair();
  for (let i = 0; i < 50; i++) {
    const { ours, theirs } = await stream();
    void ours.end();
    await world.clock.runUntilAsync(() => false, i / 4);
    theirs.reset(1);
    await world.clock.runUntilAsync(() => false, 60);
    ours.reset();
    await world.clock.runUntilAsync(() => false, 60);
    assert.deepEqual([client.stats().streams, server.stats().streams], [0, 0], `after ${i / 4} ms`);
  }
  // More than a connection's window was thrown away unread by now; the credit must have come back.
  const bytes = world.random.bytes(1_500_000);
  assert.ok(Buffer.from(await world.until(transfer(client, server, bytes))).equals(bytes));
});

test("streams that are dropped unread give their credit back", async () => {
  const { world, client, server } = await pair();
  void (async () => {
    for await (const stream of server.incomingStreams()) stream.reset(3);
  })();
  for (let i = 0; i < 40; i++) {
    const stream = await world.until(client.openStream());
    await world.until(stream.write(new Uint8Array(100_000)).catch(() => {}));
    await world.until(stream.end().catch(() => {}));
  }
  await world.clock.runUntilAsync(() => client.stats().streams === 0, 10_000);
  assert.deepEqual([client.stats().streams, server.stats().streams], [0, 0]);
});

test("who does not read makes the writer wait, and neither side buffers without end", async () => {
  const { world, stream } = await pair();
  const { ours, theirs } = await stream();
  let written = 0;
  const writer = (async () => {
    for (let i = 0; i < 64; i++) {
      await ours.write(new Uint8Array(64 * 1024).fill(i));
      written += 64 * 1024;
    }
    await ours.end();
  })();
  await world.clock.runUntilAsync(() => false, 10_000);
  // The window, 512 KiB that wait to be sent, and the write that filled them up.
  assert.ok(written <= (1024 + 512 + 64) * 1024, `${written} bytes were taken although nobody reads`);
  const received = await world.until(readAll(theirs));
  await world.until(writer);
  assert.equal(received.length, 64 * 64 * 1024 + 5);
});

test("without promises: tryWrite says when it is full, onChange when to go on", async () => {
  const { world, stream } = await pair();
  const { ours, theirs } = await stream();
  let left = 3 * 1024 * 1024;
  const push = (): void => {
    while (left > 0 && ours.tryWrite(new Uint8Array(32 * 1024))) left -= 32 * 1024;
    if (left === 0 && ours.onChange) {
      ours.onChange = undefined;
      void ours.end();
    }
  };
  ours.onChange = push;
  let got = 0;
  theirs.onChange = () => {
    for (let bytes = theirs.tryRead(); bytes; bytes = theirs.tryRead()) got += bytes.length;
  };
  push();
  theirs.onChange();
  assert.ok(left > 0, "three mebibytes do not fit at once");
  await world.clock.runUntilAsync(() => theirs.ended, 60_000);
  assert.equal(got, 3 * 1024 * 1024 + 5);
});

test("an AbortSignal before opening costs no stream, later it resets", async () => {
  const { world, client, server, stream } = await pair();
  await assert.rejects(client.openStream({ signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(client.stats().streams, 0);
  const controller = new AbortController();
  const { theirs } = await stream({ signal: controller.signal });
  controller.abort();
  await assert.rejects(world.until(readAll(theirs)), { code: "STREAM_RESET", resetCode: 0x4201 });
  const reading = new AbortController();
  const waiting = (await stream()).theirs;
  await waiting.read();
  const read = waiting.read({ signal: reading.signal });
  reading.abort();
  await assert.rejects(read, { name: "AbortError" });
  assert.equal(server.closeInfo, undefined);
});

test("waiting for a stream ends with the signal, or when the peer allows more", async () => {
  const { world, client, server } = await pair();
  const streams: SessionStream[] = [];
  for (let i = 0; i < 128; i++) streams.push(await client.openStream());
  const controller = new AbortController();
  const refused = client.openStream({ signal: controller.signal });
  controller.abort();
  await assert.rejects(refused, { name: "AbortError" });
  const waiting = client.openStream();
  void (async () => {
    for await (const stream of server.incomingStreams()) stream.reset();
  })();
  for (const stream of streams) stream.reset();
  assert.equal((await world.until(waiting)).id, 4 * 128);
});

test("await using ends a stream in order", async () => {
  const { world, client, server } = await pair();
  const incoming = firstOf(server.incomingStreams());
  const used = (async () => {
    await using stream = await client.openStream();
    await stream.write(bytesOf("done"));
  })();
  assert.equal(text(await world.until(readAll(await world.until(incoming)))), "done");
  await world.until(used);
});

test("web streams carry bytes both ways, with backpressure, cancel and abort", async () => {
  const { world, stream } = await pair();
  const { ours, theirs } = await stream();
  const writer = ours.writable.getWriter();
  const chunk = world.random.bytes(500_000);
  const sent = writer.write(chunk).then(() => writer.close());
  chunk.slice(); // the chunk stays the caller's
  const parts: Uint8Array[] = [];
  const reader = theirs.readable.getReader();
  for (let next = await world.until(reader.read()); !next.done; next = await world.until(reader.read()))
    parts.push(next.value);
  await world.until(sent);
  assert.ok(Buffer.from(concat(...parts).subarray(5)).equals(chunk));
  assert.equal(ours.writable, ours.writable);

  const two = await stream();
  await two.theirs.readable.cancel();
  await world.clock.runUntilAsync(() => false, 100);
  await assert.rejects(two.ours.write(bytesOf("x")), { code: "STREAM_RESET" });

  const three = await stream();
  await three.ours.writable.abort();
  await assert.rejects(world.until(readAll(three.theirs)), { code: "STREAM_RESET" });
});

test("a BYOB reader gets bytes into its own buffer, and the end", async () => {
  const { world, stream } = await pair();
  const { ours, theirs } = await stream();
  await ours.end();
  const reader = theirs.readable.getReader({ mode: "byob" });
  const first = await world.until(reader.read(new Uint8Array(3)));
  assert.equal(text(first.value), "hel");
  const second = await world.until(reader.read(new Uint8Array(100)));
  assert.equal(text(second.value), "lo");
  assert.equal((await world.until(reader.read(new Uint8Array(100)))).done, true);
});

test("a Node Duplex works in a pipeline and ends in both directions", async () => {
  const { world, stream } = await pair();
  const { ours, theirs } = await stream();
  const bytes = world.random.bytes(700_000);
  const left = new StreamDuplex(ours);
  const right = new StreamDuplex(theirs);
  right.pipe(right); // echo
  const back: Buffer[] = [];
  left.on("data", (part: Buffer) => back.push(part));
  const ended = once(left, "end");
  await world.until(pipeline(Readable.from([bytes]), left, { end: true }).catch((error) => assert.fail(error)));
  await world.until(ended);
  assert.ok(Buffer.concat(back).subarray(5).equals(bytes));
});

test("1,000 short streams one after the other keep within the limit and leave nothing", async () => {
  const world = new ChannelWorld({ seed: 3, link: { ...TERRIBLE_LINK, loss: 0.05 } });
  const { client, server } = await world.connected();
  let received = 0;
  void (async () => {
    for await (const stream of server.incomingStreams())
      void readAll(stream).then((bytes) => {
        received += bytes.length;
        return stream.end();
      });
  })();
  const send = async (): Promise<void> => {
    const stream = await client.openStream();
    await stream.write(new Uint8Array(32));
    await stream.end();
    await readAll(stream);
  };
  await world.until(Promise.all(Array.from({ length: 1_000 }, send)));
  assert.equal(received, 1_000 * 32);
  await world.clock.runUntilAsync(() => server.stats().streams === 0, 10_000);
  assert.deepEqual([client.stats().streams, server.stats().streams], [0, 0]);
});

test("an urgent stream overtakes a bulk one", async () => {
  const world = new ChannelWorld({ seed: 4, link: { ...LINK, rate: 500 } });
  const { client, server } = await world.connected();
  const done: number[] = [];
  void (async () => {
    for await (const stream of server.incomingStreams()) void readAll(stream).then((bytes) => done.push(bytes.length));
  })();
  const bulk = await client.openStream({ priority: 6 });
  void bulk.write(new Uint8Array(1_000_000)).then(() => bulk.end());
  await world.clock.runUntilAsync(() => false, 200);
  const urgent = await client.openStream({ priority: 0 });
  void urgent.write(new Uint8Array(1000)).then(() => urgent.end());
  await world.clock.runUntilAsync(() => done.length === 2, 60_000);
  assert.deepEqual(done, [1000, 1_000_000]);
});
