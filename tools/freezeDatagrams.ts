import { writeFileSync } from "node:fs";
import { nobleCrypto } from "#crypto/noble.js";
import { makeDatagrams } from "#test/support/datagramVectors.js";

// Run only when the wire format changes on purpose, that is with a new version number.
const about =
  "Datagrams of version 48460001 from fixed keys; see transport/PROTOCOL.md §1. Written by tools/freezeDatagrams.";
const path = "test/vectors/datagrams.json";
writeFileSync(path, `${JSON.stringify({ about, vectors: makeDatagrams(nobleCrypto) }, undefined, 1)}\n`);
console.log(`${path} is written.`);
