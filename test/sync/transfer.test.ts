import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { WireError } from "#kernel/errors.js";
import { MessageChannel } from "#sync/messageChannel.js";
import {
  DATA_CHUNK,
  decodeSyncMessage,
  encodeSyncMessage,
  MAX_RECORDS,
  MAX_REQUESTS,
  type SyncMessage,
} from "#sync/messages.js";
import { NO_HASH } from "#sync/record.js";
import type { RelativePath } from "#sync/relativePath.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { randomDevice, syncBoth, syncOnce, TestFolder } from "../support/folders.js";
import { streamPair } from "../support/streamPair.js";

const laptop = (): TestFolder => new TestFolder("laptop", randomDevice());
const pc = (): TestFolder => new TestFolder("pc", randomDevice());
const DEVICE = "ab".repeat(8);
const X = "x" as RelativePath;
const RECORD = {
  ...{ path: X, size: 0, mtimeMs: 0, executable: false, hash: NO_HASH, deleted: true, by: DEVICE },
  version: new Map([[DEVICE, 1]]),
};

const MESSAGES: readonly SyncMessage[] = [
  { type: "hello", device: DEVICE, indexId: DEVICE + DEVICE, mode: "both", have: { indexId: "", sequence: 0 } },
  { type: "index", records: [RECORD], sequence: 7, more: false },
  { type: "request", id: 1, path: X, hash: NO_HASH, offset: 0 },
  { type: "data", id: 1, bytes: new Uint8Array(3) },
  { type: "end", id: 1, status: "gone" },
  { type: "applied", sequence: 7 },
  { type: "cancel", id: 1 },
  { type: "refused", path: X, why: "name" },
  { type: "progress", files: 1, totalFiles: 2, bytes: 3, totalBytes: 4, path: X },
  { type: "pause", on: true },
];

test("every message comes out as it went in, and each limit holds exactly", () => {
  for (const message of MESSAGES) assert.deepEqual(decodeSyncMessage(encodeSyncMessage(message)), message);
  const data = (length: number): Uint8Array =>
    encodeSyncMessage({ type: "data", id: 1, bytes: new Uint8Array(length) });
  assert.doesNotThrow(() => decodeSyncMessage(data(DATA_CHUNK)));
  assert.throws(() => decodeSyncMessage(data(DATA_CHUNK + 1)), WireError);
  const index = (records: number): Uint8Array =>
    encodeSyncMessage({
      type: "index",
      records: Array.from({ length: records }, () => RECORD),
      sequence: 1,
      more: false,
    });
  assert.doesNotThrow(() => decodeSyncMessage(index(MAX_RECORDS)));
  assert.throws(() => decodeSyncMessage(index(MAX_RECORDS + 1)), WireError);
});

test("any change of a message's bytes is a WireError or another message, never something else", () => {
  const random = new SeededRandom(1);
  for (const message of MESSAGES) {
    const bytes = encodeSyncMessage(message);
    for (let i = 0; i < 500; i++) {
      const changed = bytes.slice(0, random.chance(0.3) ? random.integer(bytes.length) : bytes.length);
      if (changed.length > 0) changed[random.integer(changed.length)] = random.integer(256);
      try {
        decodeSyncMessage(changed);
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
      }
    }
  }
});

test("a peer may have 64 requests open, and not one more", async () => {
  const ask = async (requests: number): Promise<string> => {
    const from = laptop();
    from.write("x", randomBytes(3 * DATA_CHUNK));
    const [pair, peer] = [streamPair(), randomDevice()];
    const shared = await from.open();
    const run = from.session(shared, pair.a, "send", peer).run();
    const outcome = run.then(
      () => "ended",
      (error: Error) => error.name,
    );
    const talk = new MessageChannel(pair.b);
    const have = { indexId: "", sequence: 0 };
    await talk.send({ type: "hello", device: peer, indexId: "cd".repeat(16), mode: "receive", have });
    let hash = NO_HASH;
    for (let message = await talk.receive(); message?.type !== "index"; message = await talk.receive());
    hash = shared.index.get(X)?.record.hash ?? hash;
    const asked = Array.from({ length: requests }, (_, id) =>
      talk.send({ type: "request", id, path: X, hash, offset: 0 }),
    );
    let ends = 0;
    const read = async (): Promise<void> => {
      for (let message = await talk.receive(); message; message = await talk.receive())
        if (message.type === "end" && ++ends === requests) return await talk.end();
    };
    await Promise.allSettled([read(), ...asked]);
    return await outcome;
  };
  assert.equal(await ask(MAX_REQUESTS), "ended");
  assert.equal(await ask(MAX_REQUESTS + 1), "WireError");
});

test("small files do not wait for a big one, nor a big one for many small ones", async () => {
  const [from, to] = [laptop(), pc()];
  for (let i = 0; i < 6; i++) from.write(`big${i}`, randomBytes(4_000_000));
  for (let i = 0; i < 100; i++) from.write(`small${i}`, randomBytes(1000));
  await syncOnce(from, to);
  const order = to.events.flatMap((event) => (event.type === "received" ? [event.path] : []));
  assert.equal(order.length, 106);
  assert.ok(order.indexOf("small20" as RelativePath) < order.findIndex((path) => path.startsWith("big")));
});

test("progress moves within a big file, never backwards, and ends at the total on both sides", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("big", randomBytes(8_000_000));
  for (let i = 0; i < 300; i++) from.write(`s${i}`, `${i}`);
  await syncOnce(from, to);
  for (const side of [from, to]) {
    const steps = side.events.flatMap((event) => (event.type === "progress" ? [event] : []));
    assert.ok(steps.length > 20 && steps.length <= 410, `${steps.length} steps`);
    for (const [i, step] of steps.entries()) assert.ok(i === 0 || step.bytes >= (steps[i - 1]?.bytes ?? 0));
    const last = steps.at(-1);
    assert.deepEqual([last?.files, last?.bytes], [301, last?.totalBytes]);
    assert.equal(last?.totalFiles, 301);
  }
});

test("with both directions on, each side gets what the other has, and then it is quiet", async () => {
  const [one, other] = [laptop(), pc()];
  one.write("mine", "1");
  other.write("yours", "2");
  await syncBoth(one, other);
  assert.deepEqual(
    [one.files(), other.files()],
    [
      ["mine", "yours"],
      ["mine", "yours"],
    ],
  );
  const sent = one.count("sent") + other.count("sent");
  await syncBoth(one, other);
  assert.equal(one.count("sent") + other.count("sent"), sent);
  assert.equal(sent, 2);
});

test("two that only send, or only receive, are told so", async () => {
  for (const mode of ["send", "receive"] as const) {
    const [one, other, pair] = [laptop(), pc(), streamPair()];
    const runs = [
      one.session(await one.open(), pair.a, mode, other.device).run(),
      other.session(await other.open(), pair.b, mode, one.device).run(),
    ];
    const ends = await Promise.allSettled(runs);
    const codes = ends.map((end) => (end.status === "rejected" ? (end.reason as { code?: string }).code : "ended"));
    assert.ok(codes.includes("MODES_DO_NOT_FIT"), codes.join());
  }
});

test("what changes after we have ended is no error: it waits for the next sync", async () => {
  const [from, to] = [laptop(), pc()];
  from.write("a", "1");
  const pair = streamPair();
  const [source, target] = [await from.open(), await to.open()];
  const sender = from.session(source, pair.a, "send", to.device);
  const running = Promise.all([sender.run(), to.session(target, pair.b, "receive", from.device).run()]);
  await from.more("synced", 0, running);
  const ended = sender.end();
  from.write("b", "2");
  await source.rescan();
  await Promise.all([ended, running]);
  assert.deepEqual(to.files(), ["a"]);
  await syncOnce(from, to);
  assert.deepEqual(to.files(), ["a", "b"]);
});
