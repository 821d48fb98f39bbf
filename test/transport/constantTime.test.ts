import assert from "node:assert/strict";
import { test } from "node:test";
import { equalConstantTime } from "#kernel/bytes.js";
import { PathValidation } from "#transport/pathValidation.js";
import { endsWithToken } from "#transport/statelessReset.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { CLIENT, SERVER } from "../support/channel.js";

/** Bytes that count how often one of them is looked at. */
function watched(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly reads: () => number } {
  let reads = 0;
  const spy = new Proxy(bytes, {
    get(target, name) {
      if (typeof name === "string" && /^\d+$/.test(name)) reads++;
      return Reflect.get(target, name, target);
    },
  });
  return { bytes: spy, reads: () => reads };
}

/** Differs from `bytes` at one place only. */
function spoilt(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
}

test("whoever guesses a reset token or a path's token learns nothing from the time: every byte is looked at", () => {
  const random = new SeededRandom(1);
  const token = random.bytes(16);
  const datagram = random.bytes(60);
  const challenge = random.bytes(8);
  for (const at of [0, 7]) {
    const reset = watched(spoilt(token, at));
    datagram.set(token, 44);
    assert.equal(endsWithToken(datagram, reset.bytes), false);
    assert.equal(reset.reads(), 16);

    const path = new PathValidation(SERVER, () => challenge);
    path.onPacket(CLIENT, 1200, true, 0);
    const answer = watched(spoilt(challenge, at));
    assert.equal(path.onResponse(answer.bytes, CLIENT, 0), undefined);
    assert.equal(answer.reads(), 8);

    const mac = watched(spoilt(token, at));
    assert.equal(equalConstantTime(mac.bytes, token), false);
    assert.equal(mac.reads(), 16);
  }
});
