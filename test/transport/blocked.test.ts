import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME } from "#transport/frames.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { GOOD_LINK } from "../simulation/network.js";
import { ChannelWorld } from "../support/channel.js";
import { frame, HostileClient } from "../support/hostile.js";

// RFC 9000 §4.1: who is held up by a limit says so, and a limit that was lost is said again.

const STREAM = 0x0a; // with length

/** All numbers of the frames of this type that the server has sent. */
function said(client: HostileClient, type: number): (readonly number[])[] {
  return client.seen.flatMap((one) => (one.kind === "numbers" && one.type === type ? [one.values] : []));
}

function acknowledgeFor(client: HostileClient, ms: number): void {
  for (let past = 0; past < ms; past += 10) {
    client.wait(10);
    client.acknowledge();
  }
}

test("a writer that the connection's limit holds up says so after a probe timeout, then ever more seldom, until it is raised", async () => {
  const client = new HostileClient(new ChannelWorld({ seed: 1 }), { ...DEFAULT_PARAMETERS, maxData: 5000 });
  const stream = await client.victim.openStream();
  await stream.write(new Uint8Array(6000));
  client.drain();
  assert.deepEqual(said(client, FRAME.DATA_BLOCKED), [], "credit usually comes by itself");
  acknowledgeFor(client, 20_000);
  const frames = said(client, FRAME.DATA_BLOCKED);
  assert.ok(frames.length >= 5 && frames.length <= 12, `${frames.length} in 20 s`);
  for (const values of frames) assert.deepEqual(values, [5000]);
  assert.deepEqual(said(client, FRAME.STREAM_DATA_BLOCKED), [], "the stream itself may go on");
  client.send(frame(FRAME.MAX_DATA, [6000]));
  acknowledgeFor(client, 20_000);
  assert.equal(said(client, FRAME.DATA_BLOCKED).length, frames.length);
});

test("a writer that its stream's limit holds up names the stream", async () => {
  const parameters = { ...DEFAULT_PARAMETERS, maxStreamDataBidiRemote: 1000 };
  const client = new HostileClient(new ChannelWorld({ seed: 2 }), parameters);
  const stream = await client.victim.openStream();
  await stream.write(new Uint8Array(1001));
  acknowledgeFor(client, 2000);
  assert.deepEqual(said(client, FRAME.STREAM_DATA_BLOCKED)[0], [1, 1000]);
  assert.deepEqual(said(client, FRAME.DATA_BLOCKED), []);
});

test("under the limit nobody says that it is reached", async () => {
  const parameters = { ...DEFAULT_PARAMETERS, maxStreamDataBidiRemote: 1000, maxStreamsBidi: 1 };
  const client = new HostileClient(new ChannelWorld({ seed: 3 }), parameters);
  const stream = await client.victim.openStream();
  await stream.write(new Uint8Array(1000));
  acknowledgeFor(client, 5000);
  for (const type of [FRAME.DATA_BLOCKED, FRAME.STREAM_DATA_BLOCKED, FRAME.STREAMS_BLOCKED_BIDI])
    assert.deepEqual(said(client, type), []);
});

test("who waits for leave to open a stream says so", async () => {
  const client = new HostileClient(new ChannelWorld({ seed: 4 }), { ...DEFAULT_PARAMETERS, maxStreamsBidi: 1 });
  await client.victim.openStream();
  const second = client.victim.openStream();
  acknowledgeFor(client, 2000);
  assert.deepEqual(said(client, FRAME.STREAMS_BLOCKED_BIDI)[0], [1]);
  client.send(frame(FRAME.MAX_STREAMS_BIDI, [2]));
  await second;
});

test("a limit that was raised and lost is said again to a peer that waits for it, and only then", async () => {
  const client = new HostileClient(new ChannelWorld({ seed: 5 }));
  for (let i = 0; i < 100; i++) client.send(frame(STREAM, [0, 1000], new Uint8Array(1000)).slice());
  const { maxData, maxStreamDataBidiRemote: limit } = DEFAULT_PARAMETERS;
  for (const [type, fields] of [
    [FRAME.DATA_BLOCKED, [maxData]],
    [FRAME.STREAM_DATA_BLOCKED, [0, limit]],
    [FRAME.STREAMS_BLOCKED_BIDI, [128]],
  ] as const)
    client.send(frame(type, fields));
  client.wait(100);
  const granted = [FRAME.MAX_DATA, FRAME.MAX_STREAM_DATA, FRAME.MAX_STREAMS_BIDI];
  for (const type of granted) assert.deepEqual(said(client, type), [], "it has what there is");
  client.send(frame(FRAME.DATA_BLOCKED, [maxData - 1]));
  client.send(frame(FRAME.STREAM_DATA_BLOCKED, [0, limit - 1]));
  client.send(frame(FRAME.STREAMS_BLOCKED_BIDI, [127]));
  client.wait(100);
  assert.deepEqual(
    granted.map((type) => said(client, type).length),
    [1, 1, 1],
  );
  assert.equal(client.closedWith, undefined);
});

const WINDOW = 100_000;
const STREAMS = { maxStreamDataBidiLocal: WINDOW, maxStreamDataBidiRemote: WINDOW };

for (const [reason, parameters, expected] of [
  ["connection", { ...DEFAULT_PARAMETERS, maxData: WINDOW }, [0, 4800, 0]],
  ["stream", { ...DEFAULT_PARAMETERS, ...STREAMS }, [4800, 0, 0]],
  ["streams", { ...DEFAULT_PARAMETERS, maxStreamsBidi: 1 }, [4800, 0, 0]],
  ["application", DEFAULT_PARAMETERS, [0, 0, 4800]],
  ["path", DEFAULT_PARAMETERS, [0, 0, 0]],
] as const)
  test(`time is counted for what held the sender up: ${reason}`, async () => {
    const world = new ChannelWorld({ seed: 6, endpoint: { parameters } });
    const { client } = await world.connected();
    const stream = await client.openStream();
    await world.until(stream.write(new Uint8Array(WINDOW)));
    if (reason === "streams") client.openStream().catch(() => {});
    if (reason === "connection" || reason === "stream") void stream.write(new Uint8Array(1)).catch(() => {});
    // More than leaves in five seconds, whatever the window is.
    if (reason === "path") {
      world.network.link = { ...GOOD_LINK, rate: 50, queue: 1e6 };
      for (let i = 0; i < 10; i++) void stream.write(new Uint8Array(50_000)).catch(() => {});
    }
    await world.clock.runUntilAsync(() => false, 500);
    const read = (): readonly number[] => {
      const { streamBlockedMs, connectionBlockedMs, applicationLimitedMs } = client.stats();
      return [streamBlockedMs, connectionBlockedMs, applicationLimitedMs];
    };
    const before = read();
    await world.clock.runUntilAsync(() => false, 5000);
    const after = read().map((value, i) => value - (before[i] ?? 0));
    // A PING of the frames that say so is on its way now and then.
    for (const [i, least] of expected.entries()) {
      const ms = after[i] ?? 0;
      assert.ok(ms >= least && ms <= (least === 0 ? 200 : 5000), `${after}`);
    }
    // It is over, and so is the counting.
    client.abort();
    await world.clock.runUntilAsync(() => false, 100);
    const atTheEnd = read();
    await world.clock.runUntilAsync(() => false, 5000);
    assert.deepEqual(read(), atTheEnd);
  });
