import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nobleCrypto } from "#crypto/noble.js";
import { ByteWriter } from "#kernel/varint.js";
import { FRAME } from "#transport/frames.js";
import { keyLogInto } from "#transport/keyLog.node.js";
import { parseFrames } from "#transport/parseFrames.js";
import { writeNumbers } from "#transport/writeFrames.js";
import { decodeDatagram, parseKeyLog } from "../../tools/decodeDatagram.js";
import { dissectorText } from "../../tools/dissectorText.js";
import { FRAME_TABLE } from "../../tools/frameTable.js";
import { ChannelWorld } from "../support/channel.js";
import { RecordingSink } from "../support/frames.js";
import { inFolder } from "../support/inFolder.js";
import { transfer } from "../support/streams.js";

test("with a key log, and only with it, the datagrams on the wire can be read", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "keys");
    const warnings: string[] = [];
    const keyLog = keyLogInto(path, (message) => warnings.push(message));
    const world = new ChannelWorld({ seed: 2, endpoint: { keyLog } });
    const wire: Uint8Array[] = [];
    world.network.tap = (bytes) => {
      wire.push(bytes);
      return [bytes];
    };
    const { client, server } = await world.connected();
    await world.until(client.rekey());
    await world.until(transfer(client, server, new Uint8Array(3000)));
    assert.match(warnings[0] ?? "", /can read all traffic/);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const secrets = parseKeyLog(readFileSync(path, "utf8"));
    // Both ends wrote: two directions of two epochs, twice.
    assert.equal(secrets.length, 8);
    const words = wire.map((bytes) => decodeDatagram(bytes, nobleCrypto, secrets).join("\n"));
    assert.match(words[0] ?? "", /^Init, 1200 bytes/);
    assert.match(words[1] ?? "", /^Response, 1200 bytes/);
    const data = words.filter((text) => text.startsWith("Data"));
    assert.ok(data.every((text) => text.includes("packet ")));
    assert.ok(data.some((text) => text.includes("of epoch 0, from the client")));
    assert.ok(data.some((text) => text.includes("of epoch 1, from the server")));
    assert.ok(data.some((text) => text.includes('"frame_type":"stream"')));
    for (const bytes of wire) assert.ok(!decodeDatagram(bytes, nobleCrypto).join().includes("packet "));
  });
});

test("any bytes can be shown to the decoder", () => {
  const world = new ChannelWorld({ seed: 3 });
  const secrets = [{ epoch: 0, sender: "client" as const, secret: new Uint8Array(32) }];
  for (let i = 0; i < 2_000; i++)
    assert.ok(decodeDatagram(world.random.bytes(world.random.integer(100)), nobleCrypto, secrets).length > 0);
  assert.deepEqual(decodeDatagram(new Uint8Array(), nobleCrypto), ["an empty datagram"]);
});

test("the table of frames says what the parser does", () => {
  const types = new Set(FRAME_TABLE.map(({ type }) => type));
  for (const [name, type] of Object.entries(FRAME)) assert.ok(types.has(type) || name === "ACK", name);
  for (const { type, name, fields } of FRAME_TABLE) {
    const out = new ByteWriter(new Uint8Array(100));
    writeNumbers(out, type);
    for (const [, kind] of fields) {
      if (kind === "varint") out.varint(1);
      else if (kind === "counted") out.put(Uint8Array.of(2, 0x61, 0x62));
      else out.put(new Uint8Array(kind === "rest" ? 5 : kind).fill(7));
    }
    assert.doesNotThrow(() => parseFrames(out.written(), new RecordingSink()), name);
    if (fields.at(-1)?.[1] === "rest" || fields.length === 0) continue;
    assert.throws(
      () => parseFrames(out.written().subarray(0, -1), new RecordingSink()),
      { code: "FRAME_ENCODING_ERROR" },
      name,
    );
  }
});

test("the dissector knows every frame of the table", () => {
  const text = dissectorText(4760);
  for (const { type, name } of FRAME_TABLE) assert.ok(text.includes(`[${type}] = { name = "${name}"`), name);
  assert.ok(text.includes('DissectorTable.get("udp.port"):add(4760, hf)'));
  assert.ok(!text.includes("undefined"));
});
