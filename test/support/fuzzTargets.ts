import { nobleCrypto } from "#crypto/noble.js";
import { concat, fromHex } from "#kernel/bytes.js";
import { HandfastError, WireError } from "#kernel/errors.js";
import { describeFrames } from "#transport/describeFrames.js";
import { parseFrames } from "#transport/frames.js";
import { DEFAULT_PARAMETERS, decodeParameters, encodeParameters } from "#transport/params.js";
import { encodeRekeyMessage, RekeyReader } from "#transport/rekeyMessages.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { ChannelWorld, CLIENT } from "./channel.js";
import { makeDatagrams } from "./datagramVectors.js";
import { RecordingSink } from "./frames.js";
import { frame, HostileClient } from "./hostile.js";

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
  datagrams: makeDatagrams(nobleCrypto).map(({ hex }) => fromHex(hex)),
  connection: [frame(0x0a, [0, 3], random(3))],
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
  datagrams: () => {
    const world = new ChannelWorld({ seed: 5 });
    const count = (): string => JSON.stringify(Object.values(world.server.endpoint.drops).map((drops) => drops > 0));
    return (input) => {
      const now = world.clock.now();
      world.server.endpoint.receive(input, CLIENT, now);
      let answered = 0;
      for (let next = world.server.endpoint.nextDatagram(now); next; next = world.server.endpoint.nextDatagram(now))
        answered += next.bytes.length;
      if (answered > input.length) throw new Error(`${answered} bytes in answer to ${input.length}`);
      return `${count()} ${answered > 0} ${(input[0] ?? 0) >> 4}`;
    };
  },
  connection: () => {
    const world = new ChannelWorld({ seed: 6 });
    let attacker = new HostileClient(world);
    return (input) => {
      if (attacker.closedWith !== undefined || attacker.victim.closeInfo) {
        world.clock.runUntil(() => false, 2_000);
        attacker = new HostileClient(world);
      }
      attacker.send(input);
      attacker.wait(3);
      const { closeInfo } = attacker.victim;
      const kinds = describeFrames(input).map(({ frame_type }) => frame_type);
      return `${[...new Set(kinds)].sort().slice(0, 2).join()} ${closeInfo?.error?.code} ${closeInfo?.remote}`;
    };
  },
};

function outcome(parse: () => unknown): string {
  try {
    parse();
    return "";
  } catch (error) {
    if (!(error instanceof HandfastError) && !(error instanceof WireError)) throw error;
    return error.message.replaceAll(/0x[0-9a-f]+|\d+/g, "");
  }
}
