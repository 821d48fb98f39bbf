import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { concat, fromHex, utf8 } from "#kernel/bytes.js";
import { dissectorText } from "../../tools/dissectorText.js";
import type { DatagramVector } from "../support/datagramVectors.js";
import { frame } from "../support/hostile.js";

const missing = spawnSync("tshark", ["--version"]).status !== 0 && "tshark is not installed";
const LINK_RAW_IP = 101;
const LINK_USER0 = 147;

const words = (little: boolean, size: 2 | 4, ...values: readonly number[]): Uint8Array => {
  const view = new DataView(new ArrayBuffer(size * values.length));
  const set = (i: number, value: number): void => {
    if (size === 2) view.setUint16(2 * i, value, little);
    else view.setUint32(4 * i, value, little);
  };
  for (const [i, value] of values.entries()) set(i, value);
  return new Uint8Array(view.buffer);
};

function capture(linkType: number, packets: readonly Uint8Array[]): Uint8Array {
  const head = concat(words(true, 4, 0xa1b2c3d4), words(true, 2, 2, 4), words(true, 4, 0, 0, 65_535, linkType));
  return concat(
    head,
    ...packets.map((packet, i) => concat(words(true, 4, i, 0, packet.length, packet.length), packet)),
  );
}

function udp(bytes: Uint8Array): Uint8Array {
  const segment = concat(words(false, 2, 50_000, 4760, 8 + bytes.length, 0), bytes);
  const head = concat(Uint8Array.of(0x45, 0), words(false, 2, 20 + segment.length, 0, 0), Uint8Array.of(64, 17, 0, 0));
  return concat(head, Uint8Array.of(10, 0, 0, 2, 10, 0, 0, 1), segment);
}

function tshark(pcap: Uint8Array, ...fields: readonly string[]): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "handfast-"));
  try {
    writeFileSync(join(folder, "handfast.lua"), dissectorText(4760));
    writeFileSync(join(folder, "capture.pcap"), pcap);
    const show = ["-T", "fields", ...fields.flatMap((field) => ["-e", field])];
    const run = spawnSync("tshark", ["-X", "lua_script:handfast.lua", "-r", "capture.pcap", ...show], { cwd: folder });
    assert.equal(run.status, 0, String(run.stderr));
    return String(run.stdout).trimEnd().split("\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("tshark shows our datagrams with the generated dissector", { skip: missing }, () => {
  const { vectors } = JSON.parse(readFileSync("test/vectors/datagrams.json", "utf8")) as { vectors: DatagramVector[] };
  const pcap = capture(
    LINK_RAW_IP,
    vectors.map(({ hex }) => udp(fromHex(hex))),
  );
  const kinds = tshark(pcap, "handfast.kind", "handfast.version").map((line) => line.trim());
  assert.deepEqual(kinds.slice(0, 3), ["Init\t0x48460001", "Response\t0x48460001", "Cookie\t0x48460001"]);
  assert.ok(kinds.slice(3).every((kind) => kind === "data"));
});

test("tshark shows frames in clear", { skip: missing }, () => {
  const payload = concat(
    frame(0x02, [500, 1, 1, 3, 2, 4]),
    frame(0x0f, [4, 70_000, 3], utf8("abc")),
    frame(0x0840, [3]),
    frame(0x18, [1, 0], new Uint8Array(24)),
    new Uint8Array(9),
    frame(0x30, [], utf8("rest")),
  );
  const [line = ""] = tshark(capture(LINK_USER0, [payload]), "handfast.frame");
  for (const text of ["ACK largest=500 ranges=2", "STREAM FIN stream=4 offset=70000 data=3", "REKEY_REQUEST epoch=3"])
    assert.ok(line.includes(text), line);
  for (const text of ["NEW_CONNECTION_ID sequence=1", "DATAGRAM data=4"]) assert.ok(line.includes(text), line);
});
