import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import { endsWithToken, resetToken, StatelessResets } from "#transport/statelessReset.js";
import { SeededRandom } from "../simulation/seededRandom.js";

const HOST = { host: "10.0.0.9", port: 1000 };

test("a host is answered ten times a second, whichever of its ports asks; another host has its own ten", () => {
  const random = new SeededRandom(5).bytes;
  const [key, datagram] = [random(32), random(100)];
  const resets = new StatelessResets(nativeCrypto, key, random);
  const answers = (host: string, now: number): number =>
    Array.from({ length: 50 }, (_, port) => resets.answer(datagram, { host, port }, now)).filter(Boolean).length;
  assert.equal(answers(HOST.host, 0), 10);
  assert.equal(answers(HOST.host, 99), 0);
  assert.equal(answers(HOST.host, 100), 1);
  assert.equal(answers("10.0.0.10", 100), 10);
});

test("the answer goes to who asked, and ends with the token of the connection ID it asked with", () => {
  const random = new SeededRandom(6).bytes;
  const [key, datagram] = [random(32), random(100)];
  const answer = new StatelessResets(nativeCrypto, key, random).answer(datagram, HOST, 0);
  assert.deepEqual(answer?.to, HOST);
  assert.ok(endsWithToken(answer?.bytes ?? new Uint8Array(), resetToken(nativeCrypto, key, datagram.subarray(1, 9))));
});
