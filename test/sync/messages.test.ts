import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { encodeCbor } from "#kernel/cbor.js";
import type { ByteStream } from "#kernel/ports.js";
import { MessageChannel } from "#sync/messageChannel.js";
import { DATA_CHUNK, decodeSyncMessage, encodeSyncMessage } from "#sync/messages.js";

test("content is framed as the CBOR encoder would frame it, at every length of its head", () => {
  for (const length of [0, 1, 23, 24, 255, 256, 65_535, 65_536, DATA_CHUNK])
    for (const id of [0, 23, 24, 70_000, 2 ** 33]) {
      const bytes = new Uint8Array(randomBytes(length));
      const encoded = encodeSyncMessage({ type: "data", id, bytes });
      assert.deepEqual(encoded, encodeCbor([3, id, bytes]));
      assert.deepEqual(decodeSyncMessage(encoded), { type: "data", id, bytes });
    }
});

test("messages that wait together are one write, large ones are not put together, and the order stays", async () => {
  const writes: Uint8Array[] = [];
  const stream = { write: async (bytes: Uint8Array) => void writes.push(bytes) } as ByteStream;
  const channel = new MessageChannel(stream);
  const sent = [0, 1, 2].map((id) => channel.send({ type: "end", id, status: "ok" }));
  const large = [3, 4].map((id) => channel.send({ type: "data", id, bytes: new Uint8Array(100_000) }));
  await Promise.all([...sent, ...large]);
  assert.deepEqual(
    writes.map(({ length }) => length),
    [3 * 8 + 100_012, 100_012],
  );
  await channel.send({ type: "end", id: 5, status: "ok" });
  assert.equal(writes.length, 3);
});
