import assert from "node:assert/strict";
import { test } from "node:test";
import type { BareVictim as Victim } from "../support/bareVictim.js";
import { StepCounter } from "../support/work.js";

const counter = new StepCounter();
await counter.start();
const { concat } = await import("#kernel/bytes.js");
const { FRAME } = await import("#transport/frames.js");
const { SeededRandom } = await import("../simulation/seededRandom.js");
const { BareVictim } = await import("../support/bareVictim.js");
const { frame } = await import("../support/hostile.js");

// "Bounded CPU per byte": the most work that an authenticated peer can make us do with a byte, in steps of our own code.
// Beside this each packet costs one AEAD call, whoever sent it.

const BYTES = 20_000;
const MOST_STEPS = 40;
const SMALLEST = 44;
const STREAM = 0x0a; // with length
const STREAM_AT = 0x0e; // with offset and length
const X = Uint8Array.of(0x78);

/** What came before, and then one frame of the flood after the other. */
interface Flood {
  readonly before?: (victim: Victim) => void;
  readonly frame: (i: number, victim: Victim) => Uint8Array;
}

/** A thousand pieces with holes between them. */
const pieces = (victim: Victim): void => {
  for (let i = 0; i < 999; i++) victim.send(frame(STREAM_AT, [0, 4 * i + 2, 1], X));
};
/** Many packets in flight. */
const flight = (victim: Victim): void => {
  for (let i = 0; i < 20; i++) {
    victim.connection.openStream()?.write(new Uint8Array(50_000));
    victim.wait(3);
    victim.acknowledge();
  }
};
/** Many packets that it has given up, and would like to hear of. */
const lossy = (victim: Victim): void => {
  victim.send(frame(FRAME.MAX_DATA, [2 ** 40]));
  for (let i = 0; i < 40; i++) {
    victim.connection.openStream()?.write(new Uint8Array(1_000_000));
    for (let ms = 0; ms < 20; ms++) victim.wait(1);
    if (i < 39) victim.acknowledge();
  }
  victim.send(frame(FRAME.ACK, [victim.largest, 0, 0, 0]));
};
const streams = (victim: Victim): void => {
  for (let i = 0; i < 128; i++) victim.send(frame(STREAM, [4 * i, 1], X));
};

const FLOODS: Readonly<Record<string, Flood>> = {
  PING: { frame: () => frame(FRAME.PING) },
  IMMEDIATE_ACK: { frame: () => frame(FRAME.IMMEDIATE_ACK) },
  "ACK of one packet": { before: flight, frame: () => frame(FRAME.ACK, [1, 0, 0, 0]) },
  "ACK of 64 packets beside those that were given up": {
    before: lossy,
    frame: (_, { largest }) => frame(FRAME.ACK, [largest - 1, 0, 63, 0, ...Array<number>(126).fill(0)]),
  },
  "ACK of one packet, while many are given up": {
    before: lossy,
    frame: (_, { largest }) => frame(FRAME.ACK, [largest, 0, 0, 0]),
  },
  ACK_FREQUENCY: { frame: (i) => frame(FRAME.ACK_FREQUENCY, [i, 1, 1, 200]) },
  "MAX_DATA that grows": { frame: (i) => frame(FRAME.MAX_DATA, [5_000_000 + i]) },
  "MAX_STREAMS that grows": { frame: (i) => frame(FRAME.MAX_STREAMS_BIDI, [200 + i]) },
  "MAX_STREAM_DATA that grows": { before: flight, frame: (i) => frame(FRAME.MAX_STREAM_DATA, [1, 2 ** 21 + i]) },
  DATA_BLOCKED: { frame: () => frame(FRAME.DATA_BLOCKED, [1]) },
  STREAM_DATA_BLOCKED: { before: streams, frame: (i) => frame(FRAME.STREAM_DATA_BLOCKED, [4 * (i % 128), 1]) },
  STREAMS_BLOCKED: { frame: () => frame(FRAME.STREAMS_BLOCKED_UNI, [1]) },
  "empty STREAM on many streams": { before: streams, frame: (i) => frame(STREAM, [4 * (i % 128), 0]) },
  "STREAM into a thousand pieces": { before: pieces, frame: (i) => frame(STREAM_AT, [0, 4 * (i % 999) + 2, 1], X) },
  "STREAM that fills holes": { before: pieces, frame: (i) => frame(STREAM_AT, [0, 4 * (i % 999) + 3, 1], X) },
  "RESET_STREAM of new streams": { frame: (i) => frame(FRAME.RESET_STREAM, [4 * (i % 128), 1, 0]) },
  "STOP_SENDING of new streams": { frame: (i) => frame(FRAME.STOP_SENDING, [4 * (i % 128), 1]) },
  "CRYPTO, the same byte": { frame: () => frame(FRAME.CRYPTO, [100, 1], X) },
  "NEW_CONNECTION_ID, the same": { frame: () => frame(FRAME.NEW_CONNECTION_ID, [1, 0], new Uint8Array(24)) },
  "RETIRE_CONNECTION_ID, the same": { frame: () => frame(FRAME.RETIRE_CONNECTION_ID, [0]) },
  PATH_CHALLENGE: { frame: () => frame(FRAME.PATH_CHALLENGE, [], new Uint8Array(8)) },
  PATH_RESPONSE: { frame: () => frame(FRAME.PATH_RESPONSE, [], new Uint8Array(8)) },
  "empty DATAGRAM": { frame: () => frame(FRAME.DATAGRAM_WITH_LENGTH, [0]) },
};

for (const [name, flood] of Object.entries(FLOODS))
  test(`${name}: bounded work for each byte`, async (context) => {
    const victim = new BareVictim(new SeededRandom(1));
    flood.before?.(victim);
    const frames: Uint8Array[] = [];
    let bytes = 0;
    for (let i = 0; bytes < BYTES; i++) {
      const next = flood.frame(i, victim);
      frames.push(next);
      bytes += next.length;
    }
    const payload = concat(...frames);
    const steps = await counter.count(() => victim.send(payload));
    context.diagnostic(`${(steps / bytes).toFixed(1)} steps a byte`);
    assert.equal(victim.ending, "", "it was borne to the end");
    assert.ok(steps <= MOST_STEPS * bytes, `${steps} steps for ${bytes} bytes`);
  });

test("the smallest packets: bounded work for each byte, with what they make us send", async (context) => {
  const victim = new BareVictim(new SeededRandom(2));
  victim.acknowledge();
  const ping = frame(FRAME.PING);
  const packets = 500;
  const steps = await counter.count(() => {
    for (let i = 0; i < packets; i++) victim.send(ping);
  });
  context.diagnostic(`${(steps / packets / SMALLEST).toFixed(1)} steps a byte`);
  assert.equal(victim.ending, "");
  assert.ok(steps <= MOST_STEPS * packets * SMALLEST, `${steps} steps`);
});
