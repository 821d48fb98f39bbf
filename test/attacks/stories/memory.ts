import type { EndpointOptions } from "#transport/endpointTypes.js";
import { FRAME } from "#transport/frames.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { ChannelWorld, SERVER } from "../../support/channel.js";
import { frame, HostileClient } from "../../support/hostile.js";
import { memory } from "../../support/parked.js";
import { transfer } from "../../support/streams.js";
import type { Outcome } from "../stage.js";

const MIB = 1024 * 1024;
const LIMIT = 16 * MIB;
const PIECE = 48 * 1024;
/** What the story itself leaves behind: keys, sessions, streams. */
const SLACK = 4 * MIB;

/** Bonded devices of an application that reads nothing. */
class Crowd {
  readonly world: ChannelWorld;
  readonly attackers: readonly HostileClient[];

  constructor(seed: number, count: number, endpoint: Partial<EndpointOptions> = {}) {
    this.world = new ChannelWorld({ seed, endpoint: { memoryLimit: LIMIT, ...endpoint } });
    this.attackers = Array.from({ length: count }, (_, i) => {
      const from = { host: `10.0.1.${i}`, port: 7 };
      return new HostileClient(this.world, DEFAULT_PARAMETERS, from, this.world.addBond(`attacker ${i}`));
    });
  }

  /** Everybody uses the credit of the first handshake: four streams of 1 MiB. */
  fill(): void {
    for (let id = 0; id < 16; id += 4)
      for (let offset = 0; offset + PIECE <= MIB; offset += PIECE)
        for (const attacker of this.attackers)
          attacker.send(frame(FRAME.STREAM | 0x04, [id, offset], new Uint8Array(PIECE)));
  }

  /** The server's process, as far as it has grown by `attack`. */
  growth(attack: () => void): Outcome {
    const before = memory().heap;
    attack();
    const grown = memory().heap - before;
    const { receiving } = this.world.server.endpoint.memory;
    return {
      succeeded: grown > LIMIT / 2 + SLACK,
      why: `${Math.round(grown / 1024)} KiB more, ${Math.round(receiving / 1024)} of them counted`,
    };
  }
}

/** Six bonded devices send all that their credit allows, to an application that does not read. */
export function usingAllCredit(seed: number): Outcome {
  const crowd = new Crowd(seed, 6);
  return crowd.growth(() => crowd.fill());
}

/** Every second byte of many streams: little credit, and a piece to be kept for each. */
export function everySecondByte(seed: number): Outcome {
  const crowd = new Crowd(seed, 1);
  return crowd.growth(() => {
    for (let id = 0; id < 4 * 120; id += 4)
      for (let at = 0; at < 900; at += 300) {
        const bytes = Array.from({ length: 300 }, (_, i) =>
          frame(FRAME.STREAM | 0x06, [id, 1 + 2 * (at + i), 1], Uint8Array.of(1)),
        );
        crowd.attackers[0]?.send(...bytes);
      }
  });
}

/** Datagrams without a byte in them, that nobody takes. */
export function emptyDatagrams(seed: number): Outcome {
  const crowd = new Crowd(seed, 1);
  const some = Array.from({ length: 5000 }, () => frame(FRAME.DATAGRAM_WITH_LENGTH, [0]));
  return crowd.growth(() => {
    for (let i = 0; i < 40; i++) crowd.attackers[0]?.send(...some);
  });
}

/** Greedy devices were first; can an honest one still move its bytes? */
export async function greedyNeighbours(seed: number): Promise<Outcome> {
  const crowd = new Crowd(seed, 4);
  const { world } = crowd;
  crowd.fill();
  const { client } = await world.connected();
  // Its end of the session comes with the first packet; until then the newest one is an attacker's.
  await world.clock.runUntilAsync(() => world.server.sessions.length > crowd.attackers.length, 1_000);
  const server = world.server.session;
  if (!server) throw new Error("the honest device has no session");
  const bytes = world.random.bytes(2 * MIB);
  const began = world.clock.now();
  const arrived = await world.until(transfer(client, server, bytes), 3_000).then(
    (received) => Buffer.from(received).equals(bytes),
    () => false,
  );
  return { succeeded: !arrived, why: `from ${SERVER.host}: ${world.clock.now() - began} ms` };
}
