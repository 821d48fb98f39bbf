import assert, { fail } from "node:assert/strict";
import { concat } from "#kernel/bytes.js";
import type { Address } from "#kernel/ports.js";
import { initHeader, sealInit } from "#transport/handshakePackets.js";
import type { SeededRandom } from "../simulation/seededRandom.js";
import { type ChannelEnd, ChannelWorld, CLIENT, SERVER, type WorldOptions } from "./channel.js";
import { transfer } from "./streams.js";

export interface Recorded {
  readonly world: ChannelWorld;
  /** What went over the wire, by who sent it. */
  readonly sent: { readonly bytes: Uint8Array; readonly from: Address }[];
}

export function recorded(options: WorldOptions): Recorded {
  const world = new ChannelWorld(options);
  const sent: Recorded["sent"] = [];
  world.network.tap = (bytes, from) => {
    sent.push({ bytes, from });
    return [bytes];
  };
  return { world, sent };
}

export const isData = (bytes: Uint8Array): boolean => (bytes[0] ?? 0) >> 6 === 1;

/** A world in each state of PROTOCOL.md §2, with what was heard on the wire until then. */
export const STATES: Readonly<Record<string, (seed: number) => Promise<Recorded>>> = {
  "nobody there yet": async (seed) => recorded({ seed }),
  dialling: async (seed) => {
    const story = recorded({ seed });
    story.world.network.tap = (bytes, from) => {
      story.sent.push({ bytes, from });
      return [];
    };
    story.world.dial();
    return story;
  },
  "half-open": async (seed) => {
    const story = recorded({ seed });
    story.world.network.tap = (bytes, from) => {
      story.sent.push({ bytes, from });
      return isData(bytes) ? [] : [bytes];
    };
    story.world.dial();
    await story.world.clock.runUntilAsync(() => story.world.client.session !== undefined, 100);
    return story;
  },
  live: async (seed) => {
    const story = recorded({ seed });
    const { client, server } = await story.world.connected();
    await story.world.until(transfer(client, server, story.world.random.bytes(20_000)));
    await story.world.clock.runUntilAsync(() => false, 500);
    return story;
  },
  rekeyed: async (seed) => {
    const story = await (STATES["live"] as (seed: number) => Promise<Recorded>)(seed);
    const { client } = story.world.client.sessions[0] ? { client: story.world.client.sessions[0] } : fail();
    await story.world.until(client.rekey());
    await story.world.clock.runUntilAsync(() => false, 50);
    return story;
  },
  rekeying: async (seed) => {
    const story = await (STATES["live"] as (seed: number) => Promise<Recorded>)(seed);
    story.world.network.tap = (bytes, from) => {
      story.sent.push({ bytes, from });
      return [];
    };
    story.world.client.session?.rekey().catch(() => {});
    await story.world.clock.runUntilAsync(() => false, 2);
    return story;
  },
  loaded: async (seed) => {
    const story = recorded({ seed });
    const { crypto, random, serverKey, server, clock } = story.world;
    for (let i = 0; i < 60; i++) {
      const init = sealInit(crypto, serverKey.public, initHeader(random.bytes(8), random.bytes), random.bytes(1155));
      server.endpoint.receive(init, { host: `10.7.0.${i}`, port: 1 }, clock.now());
      while (server.endpoint.nextDatagram(clock.now())) {}
    }
    story.world.network.tap = (bytes, from) => {
      story.sent.push({ bytes, from });
      // The Cookie arrives, what it leads to does not.
      return from.host === SERVER.host && bytes.length > 69 ? [] : [bytes];
    };
    story.world.dial();
    await clock.runUntilAsync(() => false, 10);
    return story;
  },
  closing: async (seed) => {
    const story = await (STATES["live"] as (seed: number) => Promise<Recorded>)(seed);
    const { world } = story;
    world.network.tap = (bytes, from) => {
      story.sent.push({ bytes, from });
      return [];
    };
    void world.client.session?.close();
    await world.clock.runUntilAsync(() => false, 2);
    return story;
  },
};

export function mutate(story: Recorded, random: SeededRandom): Uint8Array {
  const base = story.sent[random.integer(story.sent.length)]?.bytes ?? random.bytes(60);
  const bytes = base.slice();
  switch (random.integer(8)) {
    case 0: {
      const noise = random.bytes(random.integer(1500));
      if (noise.length > 0 && random.chance(0.7)) noise[0] = 0x40 | ((noise[0] ?? 0) & 0xbf);
      return noise;
    }
    case 1:
      return bytes.subarray(0, random.integer(bytes.length + 1));
    case 2:
      return concat(bytes, random.bytes(1 + random.integer(100)));
    case 3:
      return concat(bytes, random.bytes(60_000)).subarray(0, 65_507);
    case 4: // replayed, or reflected to its own sender
      return bytes;
    case 5: {
      // Two packets spliced.
      const other = story.sent[random.integer(story.sent.length)]?.bytes ?? bytes;
      const at = random.integer(Math.min(bytes.length, other.length));
      return concat(bytes.subarray(0, at), other.subarray(at));
    }
    default:
      for (let flips = 1 + random.integer(3); flips > 0; flips--) {
        const at = random.integer(bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
      }
      return bytes;
  }
}

export function answersTo(end: ChannelEnd, bytes: Uint8Array, from: Address, now: number): number {
  end.endpoint.receive(bytes, from, now);
  let answered = 0;
  for (let reply = end.endpoint.nextDatagram(now); reply; reply = end.endpoint.nextDatagram(now))
    answered += reply.bytes.length;
  return answered;
}

/** Nothing of what came before has done any harm. */
export async function stillAlive(world: ChannelWorld): Promise<void> {
  const { session: client } = world.client;
  const { session: server } = world.server;
  assert.ok(client && server && !client.closeInfo && !server.closeInfo);
  assert.deepEqual(client.path, SERVER);
  assert.deepEqual(server.path, CLIENT);
  const bytes = world.random.bytes(10_000);
  const received = await world.until(transfer(client, server, bytes));
  assert.ok(Buffer.from(received).equals(bytes));
}
