// Writes test/vectors/pairings.json. Only for a new version of the pairing protocol: within one, these bytes never change.
import { writeFileSync } from "node:fs";
import { nobleCrypto } from "#crypto/noble.js";
import { makePairings } from "#test/support/pairingVectors.js";

writeFileSync("test/vectors/pairings.json", `${JSON.stringify(makePairings(nobleCrypto), null, 1)}\n`);
