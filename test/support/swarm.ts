import assert from "node:assert/strict";
import type { Session } from "#transport/session.js";
import type { SessionStream } from "#transport/sessionStream.js";
import { GOOD_LINK, type Link } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { type ChannelEnd, ChannelWorld, CLIENT } from "./channel.js";
import { playOrShrink } from "./shrink.js";

const SMALLEST = 44;

type Side = "client" | "server";

/** One thing that somebody, or the network, does. `at`: which of the open streams, modulo their number. */
export type Action =
  | { readonly kind: "open"; readonly by: Side; readonly unidirectional: boolean }
  | { readonly kind: "write"; readonly by: Side; readonly at: number; readonly bytes: number }
  | { readonly kind: "end" | "reset" | "stop"; readonly by: Side; readonly at: number }
  | { readonly kind: "datagram"; readonly by: Side; readonly bytes: number }
  | { readonly kind: "rekey" | "sleep"; readonly by: Side }
  | { readonly kind: "rebind" | "move" }
  | { readonly kind: "link"; readonly link: Link }
  | { readonly kind: "wait"; readonly ms: number };

export function randomActions(seed: number, count = 60): readonly Action[] {
  const random = new SeededRandom(seed);
  const by = (): Side => (random.chance(0.5) ? "client" : "server");
  const at = (): number => random.integer(1000);
  const makers: readonly (() => Action)[] = [
    () => ({ kind: "open", by: by(), unidirectional: random.chance(0.3) }),
    () => ({ kind: "write", by: by(), at: at(), bytes: 1 + random.integer(random.chance(0.2) ? 100_000 : 2_000) }),
    () => ({ kind: "write", by: by(), at: at(), bytes: 1 + random.integer(20_000) }),
    () => ({ kind: "end", by: by(), at: at() }),
    () => ({ kind: random.chance(0.5) ? "reset" : "stop", by: by(), at: at() }),
    () => ({ kind: "datagram", by: by(), bytes: 1 + random.integer(1000) }),
    () => ({ kind: random.chance(0.7) ? "rekey" : "sleep", by: by() }),
    () => ({ kind: random.chance(0.5) ? "rebind" : "move" }),
    () => ({ kind: "link", link: randomLink(random) }),
    () => ({ kind: "wait", ms: random.integer(random.chance(0.2) ? 2_000 : 50) }),
    () => ({ kind: "wait", ms: random.integer(50) }),
  ];
  return Array.from({ length: count }, () => (makers[random.integer(makers.length)] ?? (() => ({ kind: "rebind" })))());
}

function randomLink(random: SeededRandom): Link {
  return {
    ...GOOD_LINK,
    delayMs: random.integer(40),
    jitterMs: random.integer(20),
    loss: random.chance(0.1) ? 1 : random.number() * 0.4,
    duplicate: random.number() * 0.1,
    reorder: random.number() * 0.2,
    reorderMs: random.integer(60),
    corrupt: random.number() * 0.05,
    rate: random.chance(0.3) ? 100 + random.integer(2000) : 0,
    queue: 20_000 + random.integer(100_000),
  };
}

interface Half {
  readonly id: number;
  readonly by: Side;
  readonly stream: SessionStream;
  written: number;
  done: boolean;
}

/** The byte at `offset` of what `by` writes on stream `id`. */
const pattern = (id: number, by: Side, offset: number): number =>
  (id * 31 + offset * 7 + (offset >> 8) + (by === "client" ? 0 : 128)) & 255;

/** Plays the actions. Throws when a byte is wrong, a connection dies, something hangs, or a timer spins. */
export async function play(seed: number, actions: readonly Action[]): Promise<void> {
  const world = new ChannelWorld({ seed, endpoint: { keepAlive: true } });
  const sessions: Readonly<Record<Side, Session>> = await world.connected();
  const ends: Readonly<Record<Side, ChannelEnd>> = { client: world.client, server: world.server };
  const halves: Half[] = [];
  const open: { readonly by: Side; readonly half: Half }[] = [];
  const finished = new Map<string, number>();
  const received = new Map<string, number>();
  const problems: string[] = [];
  const other = (side: Side): Side => (side === "client" ? "server" : "client");

  const watch = (stream: SessionStream, from: Side): void => {
    if (!stream.receives) return;
    const key = `${stream.id} ${from}`;
    void (async () => {
      let offset = 0;
      try {
        for (let bytes = await stream.read(); bytes; bytes = await stream.read()) {
          for (const byte of bytes)
            if (byte !== pattern(stream.id, from, offset++)) problems.push(`${key}: byte ${offset - 1}`);
          received.set(key, offset);
        }
        received.set(`${key} ended`, offset);
      } catch {
        // Reset or stopped: what was read so far was right.
        received.set(`${key} dropped`, offset);
      }
    })();
  };
  const adopt = (stream: SessionStream, side: Side): void => {
    const half = { id: stream.id, by: side, stream, written: 0, done: false };
    halves.push(half);
    if (stream.sends) open.push({ by: side, half });
    watch(stream, other(side));
  };
  for (const side of ["client", "server"] as const)
    void (async () => {
      for await (const stream of sessions[side].incomingStreams()) adopt(stream, side);
    })();
  let address = CLIENT;
  const pass = async (ms: number): Promise<void> => {
    let steps = 0;
    const until = world.clock.now() + ms;
    await world.clock.runUntilAsync(() => {
      if (++steps > 50_000 + ms * 200) throw new Error("a timer spins");
      return world.clock.now() >= until;
    }, ms);
  };
  const pick = (action: { readonly by: Side; readonly at: number }): Half | undefined => {
    const mine = open.filter(({ by, half }) => by === action.by && !half.done);
    return mine[action.at % Math.max(1, mine.length)]?.half;
  };

  for (const action of actions) {
    switch (action.kind) {
      case "open":
        void sessions[action.by]
          .openStream({ unidirectional: action.unidirectional })
          .then((stream) => adopt(stream, action.by));
        break;
      case "write": {
        const half = pick(action);
        if (!half) break;
        const bytes = Uint8Array.from({ length: action.bytes }, (_, i) => pattern(half.id, half.by, half.written + i));
        half.written += bytes.length;
        half.stream.write(bytes).catch(() => {
          half.done = true;
        });
        break;
      }
      case "end": {
        const half = pick(action);
        if (!half) break;
        half.done = true;
        finished.set(`${half.id} ${half.by}`, half.written);
        half.stream.end().catch(() => finished.delete(`${half.id} ${half.by}`));
        break;
      }
      case "reset":
      case "stop": {
        const half = pick(action);
        if (!half) break;
        if (action.kind === "stop") {
          half.stream.stopReceiving(1);
          finished.delete(`${half.id} ${other(half.by)}`);
          break;
        }
        half.done = true;
        half.stream.resetSending(1);
        break;
      }
      case "datagram":
        sessions[action.by].sendDatagram(new Uint8Array(action.bytes));
        break;
      case "rekey":
        sessions[action.by].rekey().catch(() => {});
        break;
      case "sleep":
        ends[action.by].endpoint.resume(world.clock.now(), 60_000);
        ends[action.by].pump.turn();
        break;
      case "rebind":
      case "move":
        address = { ...address, port: address.port + 1 };
        world.client.socket.rebind(address);
        if (action.kind === "move") world.client.endpoint.networkChanged(world.clock.now());
        world.client.pump.turn();
        break;
      case "link":
        world.network.link = action.link;
        break;
      default:
        await pass(action.ms);
    }
    await pass(1);
    assert.deepEqual(problems, []);
  }
  world.network.link = GOOD_LINK;
  // After an hour in the dark a connection may be over; a minute it must survive.
  await pass(30_000);
  for (const side of ["client", "server"] as const)
    assert.equal(sessions[side].closeInfo?.error?.code, undefined, `${side}: ${sessions[side].closeInfo?.reason}`);
  assert.deepEqual(problems, []);
  for (const [key, bytes] of finished) {
    if (received.has(`${key} dropped`)) continue;
    assert.equal(received.get(`${key} ended`), bytes, `stream ${key} did not arrive whole`);
  }
  await pass(1_000);
  // A keepalive may just be under way.
  const inFlight = sessions.client.stats().bytesInFlight + sessions.server.stats().bytesInFlight;
  assert.ok(inFlight <= 2 * SMALLEST, `${inFlight} bytes are in flight for ever`);
  for (const side of ["client", "server"] as const) sessions[side].abort();
  await pass(30_000);
  for (const side of ["client", "server"] as const) {
    for await (const _ of sessions[side].datagrams());
    const { receiving, sending } = ends[side].endpoint.memory;
    assert.deepEqual({ receiving, sending }, { receiving: 0, sending: 0 }, `${side}: memory is counted for ever`);
  }
}

/** Plays `count` random stories from `first` on; a failure is shrunk and told. */
export async function swarm(first: number, count: number): Promise<void> {
  for (let seed = first; seed < first + count; seed++)
    await playOrShrink(seed, randomActions(seed), (actions) => play(seed, actions));
}
