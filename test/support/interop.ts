import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { loadSodiumCrypto } from "#crypto/sodium.node.js";
import { loadWasmCrypto } from "#crypto/wasm.node.js";
import { type Address, sameAddress } from "#kernel/ports.js";
import type { ControllerName } from "#transport/controllers.js";
import { Dial } from "#transport/dial.js";
import { FRAME } from "#transport/frames.js";
import { initHeader, initPrologue, sealInit } from "#transport/handshakePackets.js";
import { NoiseResponder } from "#transport/noise.js";
import { DEFAULT_PARAMETERS, decodeParameters } from "#transport/params.js";
import type { Session } from "#transport/session.js";
import { GOOD_LINK, type Link } from "../simulation/network.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { ChannelWorld, CLIENT, SERVER, type WorldOptions } from "./channel.js";
import { counting } from "./crypto.js";
import { frame, HostileClient } from "./hostile.js";
import { manyStreams } from "./interopMany.js";
import { firstOf, readAll, transfer } from "./streams.js";
import { SimulatedTransfer } from "./transfer.js";

const MB = 1024 * 1024;
/** The runner's link: 15 ms one way, 10 Mbit/s, 25 packets of queue. */
export const BASE: Link = { ...GOOD_LINK, delayMs: 15, rate: 1250, queue: 25 * 1472 };

/** One row of the QUIC Interop Runner's table, as far as it means something here. `size` scales the megabytes. */
export interface InteropCase {
  readonly name: string;
  /** What has to hold. */
  readonly check: string;
  /** Throws when it does not hold; returns what was measured. */
  readonly run: (size: number) => Promise<string>;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function connected(options: Partial<WorldOptions> = {}) {
  const world = new ChannelWorld({ seed: 1, link: BASE, ...options });
  const sessions = await world.connected();
  return { world, ...sessions };
}

async function same(
  world: ChannelWorld,
  from: Session,
  to: Session,
  bytes: Uint8Array,
  limitMs = 600_000,
): Promise<number> {
  const start = world.clock.now();
  const received = await world.until(transfer(from, to, bytes), limitMs);
  assert.equal(sha(received), sha(bytes));
  return world.clock.now() - start;
}

/** Loses or spoils datagrams with this probability, never more than three of one direction in a row. */
function burstly(world: ChannelWorld, probability: number, spoil: boolean, seed = 77): void {
  const inRow = new Map<string, number>();
  const random = new SeededRandom(seed);
  world.network.tap = (bytes, from) => {
    const row = inRow.get(from.host) ?? 0;
    const hit = row < 3 && random.chance(probability);
    inRow.set(from.host, hit ? row + 1 : 0);
    if (!hit) return [bytes];
    if (!spoil) return [];
    const bad = bytes.slice();
    const at = random.integer(bad.length);
    bad[at] = (bad[at] ?? 0) ^ (1 << random.integer(8));
    return [bad];
  };
}

async function manyHandshakes(spoil: boolean, size: number): Promise<string> {
  const times: number[] = [];
  const count = Math.max(10, Math.round(200 * size));
  for (let i = 0; i < count; i++) {
    const world = new ChannelWorld({ seed: i + 1, link: BASE });
    burstly(world, 0.3, spoil, i);
    const start = world.clock.now();
    const { client, server } = await world.connected();
    times.push(world.clock.now() - start);
    await same(world, client, server, world.random.bytes(1024), 300_000);
  }
  times.sort((a, b) => a - b);
  const p99 = times[Math.ceil(times.length * 0.99) - 1] ?? 0;
  assert.ok(p99 <= 10_000, `${p99} ms`);
  const worst = times.at(-1) ?? 0;
  return `${count} connections: median ${Math.round(times[count >> 1] ?? 0)} ms, p99 ${Math.round(p99)} ms, worst ${Math.round(worst)} ms`;
}

async function lossyTransfer(spoil: boolean, size: number): Promise<string> {
  const { world, client, server } = await connected();
  burstly(world, 0.02, spoil);
  // Enough packets that a flipped bit is certain.
  const bytes = world.random.bytes(Math.round(2 * MB * Math.max(size, 0.2)));
  const took = await same(world, client, server, bytes);
  const { drops } = world.server.endpoint;
  if (spoil) assert.ok(drops.forged > 0);
  return `${seconds(took)}, ${client.stats().packetsLost} lost, ${drops.forged} forged`;
}

async function rebinding(size: number, next: (i: number) => Address): Promise<string> {
  const { world, client, server } = await connected();
  let moves = 0;
  const firstOnPath = new Map<string, number>();
  const sockets: Address[] = [CLIENT];
  world.network.tap = (bytes, from, to) => {
    const key = `${to.host} ${to.port}`;
    if (sameAddress(from, SERVER) && !firstOnPath.has(key)) firstOnPath.set(key, bytes.length);
    return [bytes];
  };
  let on = true;
  const move = (): void => {
    if (!on) return;
    moves++;
    sockets.push(next(moves));
    world.client.socket.rebind(next(moves));
    world.clock.schedule(5_000 * size, move);
  };
  world.clock.schedule(1_000 * size, move);
  const took = await same(world, client, server, world.random.bytes(Math.round(10 * MB * size)));
  on = false;
  assert.equal(client.closeInfo, undefined);
  assert.ok(moves > 0);
  // The first packet to a new address is the padded challenge.
  for (const { host, port } of sockets.slice(1, -1)) assert.equal(firstOnPath.get(`${host} ${port}`), 1200);
  return `${moves} moves, ${seconds(took)}`;
}

/** Those that are installed here. */
const OPTIONAL = [loadSodiumCrypto(), await loadWasmCrypto()];

function backEnds(size: number): Promise<string>[] {
  const all = [nobleCrypto, nativeCrypto, ...OPTIONAL].filter((crypto) => crypto !== undefined);
  const pairs = all.flatMap((one) => all.map((other): readonly [Crypto, Crypto] => [one, other]));
  return pairs.map(async ([one, other]) => {
    const world = new ChannelWorld({ seed: 4, crypto: one, link: { ...BASE, rate: 12_500 } });
    world.restartServer({ crypto: other });
    const { client, server } = await world.connected();
    await same(world, client, server, world.random.bytes(Math.round(3 * MB * size)));
    return `${one.name}-${other.name}`;
  });
}

export const INTEROP: readonly InteropCase[] = [
  {
    name: "handshake",
    check: "1 KB; one Init and one Response; the client sends data after 1.0 round trips",
    async run() {
      const world = new ChannelWorld({ seed: 1, link: BASE });
      let handshakes = 0;
      let firstData = 0;
      world.network.tap = (bytes, from) => {
        if ((bytes[0] ?? 0) >> 6 === 3) handshakes++;
        else if (firstData === 0 && from.host === CLIENT.host) firstData = world.clock.now();
        return [bytes];
      };
      const start = world.clock.now();
      const { client, server } = await world.connected();
      assert.equal(handshakes, 2);
      // 1200 bytes take 0.96 ms at 10 Mbit/s, each way.
      assert.ok(Math.abs(firstData - start - 30) < 2.5, `${firstData - start}`);
      await same(world, client, server, world.random.bytes(1024));
      return `${(firstData - start).toFixed(1)} ms at 30 ms`;
    },
  },
  {
    name: "transfer",
    check: "2 + 3 + 5 MB in parallel and both directions, SHA-256 equal, orderly close",
    async run(size) {
      const { world, client, server } = await connected();
      const start = world.clock.now();
      const files = [2, 3, 5].map((mb) => world.random.bytes(Math.round(mb * MB * size)));
      const seen = new Map<string, number>();
      const collect = async (session: Session): Promise<void> => {
        let left = files.length;
        const all: Promise<void>[] = [];
        for await (const stream of session.incomingStreams()) {
          all.push(readAll(stream).then((bytes) => void seen.set(sha(bytes), (seen.get(sha(bytes)) ?? 0) + 1)));
          if (--left === 0) break;
        }
        await Promise.all(all);
      };
      const collected = Promise.all([collect(client), collect(server)]);
      for (const session of [client, server])
        for (const file of files)
          void session.openStream().then(async (stream) => {
            await stream.write(file);
            await stream.end();
          });
      await world.until(collected);
      assert.deepEqual(
        files.map((file) => seen.get(sha(file))),
        [2, 2, 2],
      );
      const took = world.clock.now() - start;
      await world.until(client.close());
      assert.equal((await world.until(server.closed)).error, undefined);
      return seconds(took);
    },
  },
  {
    name: "longrtt",
    check: "750 ms one way; at least 2 Inits, byte for byte the same; the server computes once",
    async run() {
      const crypto = counting(nativeCrypto);
      const world = new ChannelWorld({ seed: 3, crypto, link: { ...BASE, delayMs: 750 } });
      const inits: Uint8Array[] = [];
      world.network.tap = (bytes, from) => {
        if (from.host === CLIENT.host && (bytes[0] ?? 0) >> 6 === 3) inits.push(bytes);
        return [bytes];
      };
      const { client, server } = await world.connected();
      assert.ok(inits.length >= 2);
      assert.ok(inits.every((init) => sha(init) === sha(inits[0] ?? init)));
      assert.equal(world.server.endpoint.drops.duplicate, inits.length - 1);
      assert.equal(crypto.count.dh, 8, "four each");
      await same(world, client, server, world.random.bytes(1024));
      return `${inits.length} Inits`;
    },
  },
  {
    name: "chacha20",
    check: "3 MB between every pair of crypto back ends",
    run: async (size) => (await Promise.all(backEnds(size))).join(", "),
  },
  {
    name: "multiplexing",
    check: "1,999 streams of 32 bytes on one connection, at most 128 at once",
    async run(size) {
      const { world, client, server } = await connected();
      let most = 0;
      let whole = 0;
      void (async () => {
        for await (const stream of server.incomingStreams()) {
          most = Math.max(most, server.stats().streams);
          void readAll(stream).then((bytes) => {
            if (bytes.length === 32) whole++;
            return stream.end();
          });
        }
      })();
      const start = world.clock.now();
      const one = async (): Promise<void> => {
        const stream = await client.openStream();
        await stream.write(world.random.bytes(32));
        await stream.end();
        await readAll(stream);
      };
      const count = Math.round(1999 * Math.max(size, 0.2));
      await world.until(Promise.all(Array.from({ length: count }, one)));
      assert.equal(whole, count);
      assert.ok(most <= 128);
      return `${seconds(world.clock.now() - start)}, at most ${most} at once`;
    },
  },
  ...manyStreams(connected),
  {
    name: "cookie (retry)",
    check: "a loaded server asks for a cookie, then 10 KB; exactly one more round trip",
    async run() {
      const world = new ChannelWorld({ seed: 5, link: BASE });
      const { crypto, random } = world;
      for (let i = 0; i < 60; i++) {
        const init = sealInit(
          crypto,
          world.serverKey.public,
          initHeader(random.bytes(8), random.bytes),
          random.bytes(1155),
        );
        world.server.endpoint.receive(init, { host: `10.7.0.${i}`, port: 1 }, world.clock.now());
        world.server.endpoint.nextDatagram(world.clock.now());
      }
      const { cookie } = world.server.endpoint.drops;
      const start = world.clock.now();
      world.dial();
      await world.clock.runUntilAsync(() => world.client.session !== undefined, 1000);
      const took = world.clock.now() - start;
      assert.equal(world.server.endpoint.drops.cookie - cookie, 1);
      assert.ok(Math.abs(took - 60) < 5, `${took}`);
      await world.clock.runUntilAsync(() => world.server.session !== undefined, 1000);
      const [client, server] = [world.client.session, world.server.session];
      assert.ok(client && server);
      await same(world, client, server, random.bytes(10_240));
      return `connected after ${took.toFixed(1)} ms at 30 ms`;
    },
  },
  {
    name: "resumption, zerortt",
    check: "a bond reconnects in one round trip and replaces the old session; no application byte is ever in an Init",
    async run() {
      const { world, client, server } = await connected();
      await same(world, client, server, world.random.bytes(1000));
      let init = new Uint8Array();
      world.network.tap = (bytes) => {
        if (bytes.length === 1200 && (bytes[0] ?? 0) >> 4 === 12) init = bytes.slice();
        return [bytes];
      };
      const start = world.clock.now();
      world.dial();
      await world.clock.runUntilAsync(() => world.client.sessions.length === 2, 1000);
      const took = world.clock.now() - start;
      assert.ok(Math.abs(took - 32) < 2, `${took}`);
      await world.clock.runUntilAsync(() => server.closeInfo !== undefined, 1000);
      assert.equal(server.closeInfo?.error?.code, "REPLACED");
      // Opened with the server's key an Init is parameters, and then nothing but PADDING.
      const responder = new NoiseResponder({
        ...{ crypto: world.crypto, own: world.serverKey },
        prologue: initPrologue(init.subarray(0, 13)),
      });
      assert.ok(responder.readStatic(init.subarray(13, 93)));
      const payload = responder.readPayload(init.subarray(93, 1200 - 32)) ?? assert.fail();
      assert.ok(decodeParameters(payload).maxData > 0);
      assert.ok(payload.subarray(200).every((byte) => byte === 0));
      return `${took.toFixed(1)} ms`;
    },
  },
  {
    name: "blackhole",
    check: "5 s on, 2 s off: 10 MB arrive; after light returns it goes on within one capped probe timeout (2 s)",
    async run(size) {
      const { world, client, server } = await connected();
      let dark = false;
      let on = true;
      let worst = 0;
      let lightAt = 0;
      world.network.tap = (bytes, from) => {
        if (!dark && lightAt > 0 && from.host === CLIENT.host) {
          worst = Math.max(worst, world.clock.now() - lightAt);
          lightAt = 0;
        }
        return dark ? [] : [bytes];
      };
      const toggle = (): void => {
        if (!on) return;
        dark = !dark;
        if (!dark) lightAt = world.clock.now();
        world.clock.schedule(dark ? 2_000 : 5_000, toggle);
      };
      world.clock.schedule(size < 1 ? 300 : 5_000, toggle);
      const took = await same(world, client, server, world.random.bytes(Math.round(10 * MB * size)));
      on = false;
      assert.ok(worst > 0 && worst <= 2_000, `${worst}`);
      return `${seconds(took)}, resumed after at most ${Math.round(worst)} ms`;
    },
  },
  {
    name: "keyupdate",
    check: "3 MB with a rekey on the way: both ends send in both epochs; then 2 % loss and many rekeys",
    async run(size) {
      const { world, client, server } = await connected();
      const epochs = { client: new Set<number>(), server: new Set<number>() };
      world.network.tap = (bytes, from) => {
        const first = bytes[0] ?? 0;
        if (first >> 6 === 1) epochs[from.host === CLIENT.host ? "client" : "server"].add((first >> 4) & 3);
        return [bytes];
      };
      const bytes = world.random.bytes(Math.round(3 * MB * size));
      const moved = same(world, client, server, bytes);
      await world.clock.runUntilAsync(() => client.stats().bytesSent > bytes.length / 3, 60_000);
      await world.until(client.rekey());
      await moved;
      assert.deepEqual([...epochs.client, ...epochs.server].sort(), [0, 0, 1, 1]);
      world.network.link = { ...BASE, loss: 0.02 };
      const again = same(world, server, client, bytes);
      const rekeys = Math.max(5, Math.round(100 * size));
      for (let i = 0; i < rekeys; i++) await world.until(i % 2 === 0 ? client.rekey() : server.rekey());
      await again;
      return `epoch ${client.stats().epoch}`;
    },
  },
  {
    name: "ecn",
    check: "not available to a Node socket; ACK with ECN counts (03) is refused",
    async run() {
      const attacker = new HostileClient(new ChannelWorld({ seed: 1 }));
      attacker.send(frame(0x03, [0, 0, 0, 0, 0, 0, 0]));
      assert.equal(attacker.closedWith, 0x07);
      assert.ok(!Object.values<number>(FRAME).includes(0x03));
      return "FRAME_ENCODING_ERROR";
    },
  },
  {
    name: "amplificationlimit",
    check: "to an address that has proved nothing the server sends at most what it got from there",
    async run(size) {
      let worst = 0;
      const seeds = size < 1 ? 20 : 10_000;
      for (let seed = 1; seed <= seeds; seed++) {
        const world = new ChannelWorld({ seed });
        const { crypto, random } = world;
        let [sent, got] = [0, 0];
        for (let i = 0; i < 5; i++) {
          const now = world.clock.now() + i;
          const dial = new Dial({
            ...{ crypto, random: random.bytes, own: world.clientKey, peerStatic: world.serverKey.public },
            ...{ psk: world.psk, to: [SERVER], scid: random.bytes(8), parameters: DEFAULT_PARAMETERS, now },
          });
          const bytes = random.chance(0.5) ? random.bytes(random.integer(1400)) : dial.nextDatagram(now)?.bytes;
          sent += bytes?.length ?? 0;
          world.server.endpoint.receive(bytes ?? new Uint8Array(), CLIENT, now);
          for (let next = world.server.endpoint.nextDatagram(now); next; next = world.server.endpoint.nextDatagram(now))
            got += next.bytes.length;
        }
        assert.ok(got <= sent);
        worst = Math.max(worst, got / sent);
      }
      return `factor ${worst.toFixed(2)}, ${seeds} seeds`;
    },
  },
  {
    name: "handshakeloss",
    check: "30 % each way, bursts up to 3, 1 KB each; p99 of connecting ≤ 10 s",
    run: (size) => manyHandshakes(false, size),
  },
  { name: "handshakecorruption", check: "the same with flipped bits", run: (size) => manyHandshakes(true, size) },
  { name: "transferloss", check: "2 MB at 2 %, bursts up to 3", run: (size) => lossyTransfer(false, size) },
  {
    name: "transfercorruption",
    check: "the same with flipped bits; counted, never an error",
    run: (size) => lossyTransfer(true, size),
  },
  {
    name: "v2",
    check: "one version; an edited version or a Versions datagram changes nothing: it fails closed",
    async run() {
      const world = new ChannelWorld({ seed: 9, link: BASE });
      world.network.tap = (bytes, from) => {
        if (from.host !== CLIENT.host || (bytes[0] ?? 0) >> 6 !== 3) return [bytes];
        // A downgrader answers first, and edits what goes on.
        const versions = new Uint8Array([0xf0, 0, 0, 0, 0, ...bytes.subarray(5, 13), 0, 0, 0, 1]);
        world.network.inject(versions, SERVER, CLIENT);
        const edited = bytes.slice();
        edited[4] = 0;
        return [edited];
      };
      world.dial();
      await world.clock.runUntilAsync(() => world.client.events.length > 0, 20_000);
      const [event] = world.client.events;
      assert.equal(event?.type === "failed" && event.error.code, "NOT_REACHABLE");
      assert.equal(world.server.sessions.length, 0);
      return "NOT_REACHABLE";
    },
  },
  {
    name: "rebind-port",
    check:
      "10 MB; the client's port changes after 1 s and every 5 s; the first packet to each is a challenge of 1200 bytes",
    run: (size) => rebinding(size, (i) => ({ ...CLIENT, port: CLIENT.port + i })),
  },
  {
    name: "rebind-addr",
    check: "the same with addresses",
    run: (size) => rebinding(size, (i) => ({ host: `10.3.0.${i}`, port: CLIENT.port })),
  },
  {
    name: "connectionmigration",
    check: "2 MB; the client moves and says so; another connection ID on the new path",
    async run(size) {
      const { world, client, server } = await connected();
      const ids = { before: new Set<string>(), after: new Set<string>() };
      let moved = false;
      world.network.tap = (bytes, from) => {
        if (from.host !== SERVER.host && (bytes[0] ?? 0) >> 6 === 1)
          ids[moved ? "after" : "before"].add(String(bytes.subarray(1, 9)));
        return [bytes];
      };
      const done = same(world, client, server, world.random.bytes(Math.round(2 * MB * Math.max(size, 0.2))));
      await world.clock.runUntilAsync(() => false, 150);
      moved = true;
      world.client.socket.rebind({ host: "10.4.0.1", port: CLIENT.port });
      world.client.endpoint.networkChanged(world.clock.now());
      world.client.pump.turn();
      const took = await done;
      assert.equal(server.path.host, "10.4.0.1");
      assert.deepEqual([ids.before.size, ids.after.size], [1, 1]);
      assert.notDeepEqual([...ids.before], [...ids.after]);
      return seconds(took);
    },
  },
  {
    name: "goodput",
    check: "10 MB on 10 Mbit/s: at least 9.0 Mbit/s",
    async run(size) {
      const { world, client, server } = await connected();
      const bytes = world.random.bytes(Math.round(10 * MB * Math.max(size, 0.2)));
      const took = await same(world, client, server, bytes);
      const rate = (bytes.length * 8) / took / 1000;
      // A short transfer is mostly its beginning.
      assert.ok(rate >= (size < 1 ? 8 : 9), `${rate} Mbit/s`);
      return `${rate.toFixed(2)} Mbit/s`;
    },
  },
  {
    name: "crosstraffic",
    check:
      "30 Mbit/s, 20 ms, shared: beside one NewReno flow we take 20 to 80 %; of four of ours Jain's index is at least 0.9",
    async run(size) {
      const link = { ...GOOD_LINK, delayMs: 10, rate: 3750, queue: 75_000, shared: true };
      const until = size < 1 ? 8000 : 20_000;
      const shares = (names: readonly ControllerName[]): Promise<readonly number[]> => {
        const flows = names.map((congestion, i) => ({ congestion, bytes: 1e9, startMs: 200 * i }));
        return new SimulatedTransfer({ seed: 1, link, flows }).shares(until / 2, until);
      };
      const [ours = 0] = await shares(["bbr", "newreno"]);
      assert.ok(ours >= 0.2 && ours <= 0.8, `${ours}`);
      const four = await shares(["bbr", "bbr", "bbr", "bbr"]);
      const jain = 1 / (4 * four.reduce((sum, share) => sum + share * share, 0));
      assert.ok(jain >= 0.9, `${four.join(", ")}`);
      return `${(100 * ours).toFixed(0)} % beside NewReno; Jain ${jain.toFixed(2)}`;
    },
  },
  {
    name: "one byte each way",
    check: "connect to a bonded server and have a byte echoed: 2 round trips",
    async run() {
      const world = new ChannelWorld({ seed: 11, link: { ...BASE, delayMs: 20 } });
      const start = world.clock.now();
      world.dial();
      await world.clock.runUntilAsync(() => world.client.session !== undefined, 1000);
      const { session } = world.client;
      assert.ok(session);
      const stream = await session.openStream();
      void stream.write(Uint8Array.of(1)).then(() => stream.end());
      const echo = (async () => {
        await world.clock.runUntilAsync(() => world.server.session !== undefined, 1000);
        const incoming = await firstOf(world.server.session?.incomingStreams() ?? assert.fail());
        await incoming.write((await incoming.read()) ?? new Uint8Array());
      })();
      await world.until(stream.read());
      await echo;
      const took = world.clock.now() - start;
      assert.ok(took < 85, `${took}`);
      return `${took.toFixed(1)} ms at 40 ms`;
    },
  },
];
