import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { type DatagramVector, makeDatagrams } from "../support/datagramVectors.js";

const frozen = JSON.parse(readFileSync("test/vectors/datagrams.json", "utf8")) as { vectors: DatagramVector[] };

for (const crypto of [nobleCrypto, nativeCrypto])
  test(`the wire format is what it was frozen as (${crypto.name})`, () => {
    assert.deepEqual(makeDatagrams(crypto), frozen.vectors);
  });
