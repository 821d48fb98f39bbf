import { concat } from "#kernel/bytes.js";
import { HandfastError, WireError } from "#kernel/errors.js";
import { describeFrames } from "#transport/describeFrames.js";
import { DEFAULT_PARAMETERS, decodeParameters, encodeParameters } from "#transport/params.js";
import { parseFrames } from "#transport/parseFrames.js";
import { encodeRekeyMessage, RekeyReader } from "#transport/rekeyMessages.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { BareVictim } from "./bareVictim.js";
import { RecordingSink } from "./frames.js";
import { frame } from "./hostile.js";
import { rekeyStory } from "./rekeyStory.js";

const random = new SeededRandom(9).bytes;

/** Where each walk begins: one good input. */
export const FUZZ_SEEDS: Readonly<Record<string, readonly Uint8Array[]>> = {
  frames: [concat(frame(0x0f, [4, 9, 3], random(3)), frame(0x02, [9, 1, 1, 2, 0, 1]), frame(0x1d, [1, 2], random(2)))],
  parameters: [
    encodeParameters(
      { ...DEFAULT_PARAMETERS, resetToken: random(16), handshakeDcid: random(8), versions: [1] },
      random,
    ),
  ],
  rekey: [encodeRekeyMessage({ type: 1, epoch: 1, noise: random(96) })],
  // The peer renews, the victim renews; in pieces, once more, waiting for the old keys to go.
  rekeying: [
    Uint8Array.of(0, 1, 2, 13, 11, 12, 2, 1, 2, 13, 6),
    Uint8Array.of(1, 0, 2, 13, 11, 12, 2, 0, 2, 13),
    Uint8Array.of(1, 1, 4, 20, 13, 12, 2, 0, 5, 30, 3, 13, 6, 7),
    Uint8Array.of(0, 0, 1, 14, 9, 9, 1, 8, 3, 9, 1, 8, 4, 8, 2),
    // A bit that is wrong, either way; the same message twice, and a second one, before the new keys are in use.
    Uint8Array.of(1, 0, 3, 20, 1, 13),
    Uint8Array.of(0, 1, 3, 90, 1, 13),
    Uint8Array.of(1, 0, 16, 2, 7, 13),
    Uint8Array.of(0, 1, 16, 2, 7, 13),
    Uint8Array.of(0, 1, 16, 2, 8, 4, 3, 13),
  ],
  sequences: [concat(Uint8Array.of(9), frame(0x0a, [0, 3], random(3)))],
};

/** What an input of each target leads to; a throw of anything but our own errors is a bug. */
export const FUZZ_TARGETS: Readonly<Record<string, () => (input: Uint8Array) => string>> = {
  frames: () => (input) => {
    const sink = new RecordingSink();
    const error = outcome(() => parseFrames(input, sink));
    const last = sink.frames.at(-1);
    // What is shown in a log must agree with what was parsed.
    if (error === "" && describeFrames(input).some(({ frame_type }) => frame_type === "unknown"))
      throw new Error("differs");
    return `${last?.kind === "numbers" ? last.type : last?.kind} ${error}`;
  },
  parameters: () => (input) => {
    let found = "";
    const error = outcome(() => {
      found = Object.entries(decodeParameters(input))
        .map(([name, value]) => (value === 0 ? "" : name))
        .join();
    });
    return `${found.split(",").filter(Boolean).length} ${error}`;
  },
  rekey: () => (input) => {
    let types = "";
    const error = outcome(() => {
      const reader = new RekeyReader();
      reader.push(input);
      for (let message = reader.next(); message && types.length < 4; message = reader.next()) types += message.type;
    });
    return `${types} ${error}`;
  },
  rekeying: () => rekeyStory,
  sequences: () => {
    const random = new SeededRandom(6);
    let victim = new BareVictim(random);
    let turns = 0;
    return (input) => {
      if (victim.ending !== "") victim = anyVictim(random);
      const [how = 0] = input;
      ACTS[how & 7]?.(victim);
      if (how & 8) victim.acknowledge();
      if (how & 16) victim.wait(how & 32 ? 300 : 3);
      if (how & 64) victim.connection.rekey();
      victim.send(input.subarray(1));
      if (++turns % 16 === 0) audit(victim);
      const frames = describeFrames(input.subarray(1));
      return `${frames.findLast(({ frame_type }) => frame_type !== "unknown")?.frame_type} ${victim.ending}`;
    };
  },
};

/** 128 of the peer's of each kind, and 128 of ours of each kind. */
const MOST_STREAMS = 4 * 128;

/** Either end, with a peer whose parameters may be as strange as the parser lets them be. */
function anyVictim(random: SeededRandom): BareVictim {
  const role = random.chance(0.5) ? "initiator" : "responder";
  if (random.chance(0.7)) return new BareVictim(random, role);
  const strange = STRANGE.filter(() => random.chance(0.5));
  const chosen = strange.map(([name, least, most]) => [name, random.chance(0.5) ? least : most] as const);
  const peer = { ...DEFAULT_PARAMETERS, ...Object.fromEntries(chosen) };
  return new BareVictim(random, role, decodeParameters(encodeParameters(peer, random.bytes)));
}

const LARGEST = 2 ** 53 - 1;
/** The smallest and the largest value of each parameter. */
const STRANGE = [
  ["idleMs", 1, LARGEST],
  ["maxUdpPayload", 1200, LARGEST],
  ["maxData", 0, LARGEST],
  ["maxStreamDataBidiLocal", 0, LARGEST],
  ["maxStreamDataBidiRemote", 0, LARGEST],
  ["maxStreamDataUni", 0, LARGEST],
  ["maxStreamsBidi", 0, 2 ** 50],
  ["maxStreamsUni", 0, 2 ** 50],
  ["maxAckDelayMs", 0, 2 ** 14 - 1],
  ["activeCids", 2, LARGEST],
  ["maxDatagram", 0, LARGEST],
] as const;

/** What is held stays within its limits, and is counted right. */
function audit({ connection, memory, now }: BareVictim): void {
  const { receiving, sending, limit } = memory.stats;
  if (connection.stats(now).streams > MOST_STREAMS) throw new Error("too many streams");
  if (Math.min(receiving, sending) < 0 || Math.max(receiving, sending) > limit)
    throw new Error(`${receiving} and ${sending} bytes are held`);
}

/** What the victim's application does meanwhile. */
const ACTS: readonly ((victim: BareVictim) => void)[] = [
  () => {},
  (victim) => victim.connection.openStream()?.write(new Uint8Array(3000)),
  (victim) => victim.connection.openStream(true)?.write(new Uint8Array(10)),
  (victim) => {
    for (const stream of victim.streams.splice(0)) while (stream.read()) {}
  },
  (victim) => victim.streams.pop()?.reset(4),
  (victim) => victim.streams.shift()?.stop(5),
  (victim) => victim.connection.sendDatagram(new Uint8Array(100)),
  (victim) => victim.streams.pop()?.finish(),
];

function outcome(parse: () => unknown): string {
  try {
    parse();
    return "";
  } catch (error) {
    if (!(error instanceof HandfastError) && !(error instanceof WireError)) throw error;
    return error.message.replaceAll(/0x[0-9a-f]+|\d+/g, "");
  }
}
