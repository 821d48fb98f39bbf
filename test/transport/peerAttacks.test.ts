import assert from "node:assert/strict";
import { test } from "node:test";
import { concat } from "#kernel/bytes.js";
import { TRANSPORT_ERROR, transportErrorName } from "#transport/errors.js";
import { FRAME } from "#transport/frames.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { encodeRekeyMessage } from "#transport/rekeyMessages.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { ChannelWorld } from "../support/channel.js";
import { frame, HostileClient } from "../support/hostile.js";
import { transfer } from "../support/streams.js";

const WINDOW = DEFAULT_PARAMETERS.maxStreamDataBidiRemote;

// RFC 9000 §21, from a peer that is bonded, authenticated and hostile.

const X = Uint8Array.of(0x78);
const STREAM = 0x0a; // with length
const STREAM_AT = 0x0e; // with offset and length
const FIN = 0x01;

function hostile(seed = 1): HostileClient {
  return new HostileClient(new ChannelWorld({ seed }));
}

const ATTACKS: Readonly<Record<string, readonly [code: keyof typeof TRANSPORT_ERROR, frames: readonly Uint8Array[]]>> =
  {
    "a frame that nobody defined": ["FRAME_ENCODING_ERROR", [frame(0x21)]],
    "ECN counts": ["FRAME_ENCODING_ERROR", [frame(0x03, [0, 0, 0, 0, 0, 0, 0])]],
    "an ACK of a packet that was never sent": ["PROTOCOL_VIOLATION", [frame(FRAME.ACK, [1000, 0, 0, 0])]],
    "65 ACK ranges": ["FRAME_ENCODING_ERROR", [frame(FRAME.ACK, [1000, 0, 64, 0, ...Array(128).fill(0)])]],
    "more streams than allowed": ["STREAM_LIMIT_ERROR", [frame(STREAM, [4 * 128, 1], X)]],
    "more one-way streams than allowed": ["STREAM_LIMIT_ERROR", [frame(STREAM, [4 * 128 + 2, 1], X)]],
    "data on a stream that we have not opened": ["STREAM_STATE_ERROR", [frame(STREAM, [1, 1], X)]],
    "data on our own one-way stream": ["STREAM_STATE_ERROR", [frame(STREAM, [3, 1], X)]],
    "credit for its own one-way stream": ["STREAM_STATE_ERROR", [frame(FRAME.MAX_STREAM_DATA, [2, 9])]],
    "STOP_SENDING for its own one-way stream": ["STREAM_STATE_ERROR", [frame(FRAME.STOP_SENDING, [2, 9])]],
    "a byte beyond the stream's window": ["FLOW_CONTROL_ERROR", [frame(STREAM_AT, [0, WINDOW, 1], X)]],
    "a stream offset near 2^53": ["FLOW_CONTROL_ERROR", [frame(STREAM_AT, [0, 2 ** 53 - 2, 1], X)]],
    "a reset beyond the stream's window": ["FLOW_CONTROL_ERROR", [frame(FRAME.RESET_STREAM, [0, 0, WINDOW + 1])]],
    "two ends of one stream": [
      "FINAL_SIZE_ERROR",
      [frame(STREAM | FIN, [0, 1], X), frame(STREAM_AT | FIN, [0, 1, 1], X)],
    ],
    "a reset that moves the end": [
      "FINAL_SIZE_ERROR",
      [frame(STREAM_AT, [0, 5, 1], X), frame(FRAME.RESET_STREAM, [0, 0, 3])],
    ],
    "a stream limit above 2^50": ["FRAME_ENCODING_ERROR", [frame(FRAME.MAX_STREAMS_BIDI, [2 ** 50 + 1])]],
    "CRYPTO far ahead": ["CRYPTO_BUFFER_EXCEEDED", [frame(FRAME.CRYPTO, [4096, 1], X)]],
    "CRYPTO that is no key message": ["KEY_UPDATE_ERROR", [frame(FRAME.CRYPTO, [0, 7], new Uint8Array(7).fill(9))]],
    "a rekey for an epoch far away": [
      "KEY_UPDATE_ERROR",
      [frame(FRAME.CRYPTO, [0, 103], encodeRekeyMessage({ type: 1, epoch: 9, noise: new Uint8Array(96) }))],
    ],
    "a request for keys from the wrong end": ["KEY_UPDATE_ERROR", [frame(FRAME.REKEY_REQUEST, [1])]],
    "an ID that retires itself": ["FRAME_ENCODING_ERROR", [frame(FRAME.NEW_CONNECTION_ID, [1, 2], new Uint8Array(24))]],
    "an ID that we never gave": ["PROTOCOL_VIOLATION", [frame(FRAME.RETIRE_CONNECTION_ID, [7])]],
    "a datagram above the limit": [
      "PROTOCOL_VIOLATION",
      [frame(FRAME.DATAGRAM_WITH_LENGTH, [65_001], new Uint8Array(65_001))],
    ],
  };

for (const [name, [code, frames]] of Object.entries(ATTACKS))
  test(`${name}: one clean close with ${code}`, () => {
    const attacker = hostile();
    if (name.startsWith("a datagram above")) attacker.send(...frames);
    else attacker.send(...frames);
    assert.equal(transportErrorName(attacker.closedWith ?? 0), code);
    assert.equal(attacker.victim.closeInfo?.error?.code, code);
    // Whatever it goes on to say is met with silence, but for ever rarer goodbyes.
    let answered = 0;
    for (let i = 0; i < 256; i++) if (attacker.send(frame(FRAME.PING)) > 0) answered++;
    assert.ok(answered <= 9, `${answered}`);
  });

test("just inside every limit nothing is closed", () => {
  const attacker = hostile();
  attacker.send(frame(STREAM, [4 * 127, 1], X), frame(STREAM, [4 * 127 + 2, 1], X));
  attacker.send(frame(STREAM_AT, [0, WINDOW - 1, 1], X));
  attacker.send(frame(FRAME.RESET_STREAM, [4, 0, WINDOW]));
  attacker.send(frame(FRAME.CRYPTO, [4095, 1], X));
  attacker.send(frame(FRAME.MAX_STREAMS_BIDI, [2 ** 50]), frame(FRAME.MAX_DATA, [2 ** 53 - 1]));
  attacker.send(frame(FRAME.DATAGRAM_WITH_LENGTH, [65_000], new Uint8Array(65_000)));
  assert.equal(attacker.victim.closeInfo, undefined);
});

test("every second byte: a thousand pieces are kept, one more is the end (§21.7)", () => {
  const attacker = hostile();
  for (let i = 0; i < 1000; i++) attacker.send(frame(STREAM_AT, [0, 2 * i + 1, 1], X));
  assert.equal(attacker.victim.closeInfo, undefined);
  attacker.send(frame(STREAM_AT, [0, 2001, 1], X));
  assert.equal(attacker.closedWith, TRANSPORT_ERROR.PROTOCOL_VIOLATION);
});

test("where pieces overlap with other bytes, the first that came wins", async () => {
  const attacker = hostile();
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  attacker.send(frame(STREAM_AT, [0, 4, 4], bytes("EFGH")));
  attacker.send(frame(STREAM_AT, [0, 2, 6], bytes("cdefgh")));
  attacker.send(frame(STREAM_AT | FIN, [0, 0, 10], bytes("abxxxxxxij")));
  for await (const stream of attacker.victim.incomingStreams()) {
    let text = "";
    for (let part = await stream.read(); part; part = await stream.read()) text += new TextDecoder().decode(part);
    assert.equal(text, "abcdEFGHij");
    break;
  }
});

test("floods of cheap frames leave nothing behind (§21.9)", () => {
  const attacker = hostile();
  const floods: readonly (() => Uint8Array)[] = [
    () => frame(FRAME.PING),
    () => frame(FRAME.PATH_CHALLENGE, [], new Uint8Array(8)),
    () => frame(FRAME.PATH_RESPONSE, [], new Uint8Array(8)),
    () => frame(FRAME.MAX_DATA, [5]),
    () => frame(STREAM, [0, 0]),
    () => frame(0x14, [1]),
    () => frame(FRAME.STOP_SENDING, [0, 1]),
  ];
  for (const make of floods) {
    for (let i = 0; i < 300; i++) {
      const many = Array.from({ length: 40 }, make);
      const sent = concat(...many).length + 29;
      const answered = attacker.send(...many);
      // Four PATH_RESPONSEs of 1200 bytes are the most that one packet can ask for.
      assert.ok(answered <= Math.max(sent, 4 * 1200 + 100), `${answered} for ${sent}`);
      attacker.wait(1);
    }
  }
  assert.equal(attacker.victim.closeInfo, undefined);
  assert.ok(attacker.victim.stats().streams <= 1);
});

test("streams that are reset at once do not pile up before the application", async () => {
  const attacker = hostile();
  for (let i = 0; i < 2000; i++) {
    attacker.send(frame(FRAME.RESET_STREAM, [4 * i + 2, 0, i % 2]));
    attacker.acknowledge();
    attacker.wait(1);
  }
  assert.equal(attacker.victim.closeInfo, undefined);
  attacker.send(frame(FRAME.APPLICATION_CLOSE, [0, 0]));
  let accepted = 0;
  for await (const stream of attacker.victim.incomingStreams()) accepted += stream.receives ? 1 : 0;
  assert.equal(accepted, 256);
});

test("a peer that opens 128 streams and says one byte on each holds little and ends by idleness (§21.6)", () => {
  const attacker = hostile();
  for (let i = 0; i < 128; i++) attacker.send(frame(STREAM, [4 * i, 1], X));
  assert.equal(attacker.victim.stats().streams, 128);
  for (let second = 0; second < 70 && !attacker.victim.closeInfo; second++) {
    attacker.wait(1000);
    attacker.victim.progress();
  }
  assert.equal(attacker.victim.closeInfo?.error?.code, "IDLE");
});

test("a hostile peer does not disturb the session of another", async () => {
  const world = new ChannelWorld({ seed: 9 });
  const friend = world.addClient({ host: "10.0.7.7", port: 7 }, "friend");
  const psk = world.others[0]?.bond.psk ?? new Uint8Array();
  const server = { host: "10.0.0.1", port: 4760 };
  friend.endpoint.connect({ to: [server], peerStatic: world.serverKey.public, psk, id: "server" }, world.clock.now());
  friend.pump.turn();
  await world.clock.runUntilAsync(() => world.server.session !== undefined, 1_000);
  const [live] = world.server.sessions;
  const attacker = new HostileClient(world);
  const random = new SeededRandom(9);
  assert.ok(friend.session && live);
  const bytes = world.random.bytes(200_000);
  const moved = transfer(friend.session, live, bytes);
  for (let i = 0; i < 500; i++) {
    attacker.send(random.bytes(20 + random.integer(200)));
    await world.clock.runUntilAsync(() => false, 1);
  }
  assert.ok(Buffer.from(await world.until(moved)).equals(bytes));
  assert.equal(live.closeInfo, undefined);
});

/** Frames that are almost right: the types that exist, with small and extreme numbers. */
function almostFrames(random: SeededRandom): Uint8Array {
  const types = [...Object.values(FRAME), 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f];
  const number = (): number =>
    [random.integer(8), random.integer(600), random.integer(2 ** 20), 2 ** 53 - 1 - random.integer(3)][
      random.integer(random.chance(0.1) ? 4 : 2)
    ] ?? 0;
  const frames: Uint8Array[] = [];
  for (let i = 1 + random.integer(5); i > 0; i--) {
    const type = types[random.integer(types.length)] ?? 0;
    const values = Array.from({ length: random.integer(4) }, number);
    frames.push(frame(type, values, random.bytes(random.chance(0.5) ? random.integer(40) : 0)));
  }
  return concat(...frames);
}

test("4,000 sequences of almost right frames: no crash, one close each at most", async () => {
  await withSeeds(1, (seed) => {
    const random = new SeededRandom(seed);
    const world = new ChannelWorld({ seed });
    let attacker = new HostileClient(world);
    for (let i = 0; i < 4_000; i++) {
      if (attacker.closedWith !== undefined || attacker.victim.closeInfo) {
        world.clock.runUntil(() => false, 2_000);
        attacker = new HostileClient(world);
      }
      const input = almostFrames(random);
      assert.doesNotThrow(() => attacker.send(input), Buffer.from(input).toString("hex"));
      if (random.chance(0.05)) attacker.wait(random.integer(300));
    }
  });
});
