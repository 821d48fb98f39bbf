import assert from "node:assert/strict";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Address } from "#kernel/ports.js";
import { Dial } from "#transport/dial.js";
import { FRAME } from "#transport/frames.js";
import { initPrologue, VERSION } from "#transport/handshakePackets.js";
import { NoiseResponder } from "#transport/noise.js";
import { DEFAULT_PARAMETERS, decodeParameters } from "#transport/params.js";
import { ChannelWorld, CLIENT, SERVER } from "../channel.js";
import { counting } from "../crypto.js";
import { frame, HostileClient } from "../hostile.js";
import { firstOf } from "../streams.js";
import { BASE, connected, type InteropCase, same, sha } from "./world.js";

// The runner's cases about the first round trip.

const RESERVED = /^.a.a.a.a$/;
const isReserved = (version: number): boolean => RESERVED.test(version.toString(16).padStart(8, "0"));

/** The lists of versions in an Init and in its Response, as they were sent. */
function listsOf(world: ChannelWorld, now: number): readonly (readonly number[])[] {
  const { crypto, random, serverKey } = world;
  const dial = new Dial({
    ...{ crypto, random: random.bytes, own: world.clientKey, peerStatic: serverKey.public, psk: world.psk },
    ...{ to: [SERVER], scid: random.bytes(8), parameters: DEFAULT_PARAMETERS, now },
  });
  const init = dial.nextDatagram(now)?.bytes ?? assert.fail();
  const responder = new NoiseResponder({ crypto, own: serverKey, prologue: initPrologue(init.subarray(0, 13)) });
  assert.ok(responder.readStatic(init.subarray(13, 93)));
  const told = decodeParameters(responder.readPayload(init.subarray(93, 1200 - 32)) ?? assert.fail());
  world.server.endpoint.receive(init, CLIENT, now);
  const response = world.server.endpoint.nextDatagram(now)?.bytes ?? assert.fail();
  const result = dial.receive(response, SERVER, now);
  assert.ok(result && result !== "cookie" && !result.error);
  return [told.versions ?? [], result.peer.versions ?? []];
}

/** A world whose ends both offer these versions. */
const offering = (versions: readonly number[]): ChannelWorld =>
  new ChannelWorld({ seed: 10, link: BASE, endpoint: { parameters: { ...DEFAULT_PARAMETERS, versions } } });

export const FIRST_ROUND_TRIP: readonly InteropCase[] = [
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
      const serializing = (2 * 1200) / BASE.rate;
      assert.ok(Math.abs(firstData - start - 30 - serializing) < 1, `${firstData - start}`);
      await same(world, client, server, world.random.bytes(1024));
      return `${(firstData - start).toFixed(1)} ms at 30 ms`;
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
    name: "v2, grease",
    check:
      "every list of versions has a reserved one before or after ours; 15 unknown ones and ours are taken, 16 unknown ones are silence; Versions datagrams all the time change nothing",
    async run(size) {
      const dials = size < 1 ? 40 : 1_000;
      const world = new ChannelWorld({ seed: 9 });
      const places = [0, 0];
      const reserved = new Set<number>();
      for (let i = 1; i <= dials; i++)
        for (const list of listsOf(world, 2_000 * i)) {
          assert.equal(list.length, 2);
          const at = list.indexOf(VERSION);
          assert.ok(at >= 0 && isReserved(list[1 - at] ?? 0), String(list));
          places[at] = (places[at] ?? 0) + 1;
          reserved.add(list[1 - at] ?? 0);
        }
      assert.ok(Math.min(...places) > dials / 2 && reserved.size > dials, `${places}, ${reserved.size} kinds`);

      const unknown = world.random.bytes(60);
      const others = Array.from({ length: 15 }, (_, i) => (unknown[i] ?? 0) * 0x10101 + 0x0100_0000);
      const patient = offering([...others, VERSION]);
      const flood = (bytes: Uint8Array, from: Address, to: Address): readonly Uint8Array[] => {
        const cid = bytes.subarray(1, 9);
        for (const [a, b] of [[from, to] as const, [to, from] as const])
          for (const list of [[], [VERSION], [0x1a2a3a4a, VERSION], others]) {
            const words = new Uint8Array(new Uint32Array(list).buffer);
            patient.network.inject(new Uint8Array([0xf0, 0, 0, 0, 0, ...cid, ...words]), a, b);
          }
        return [bytes];
      };
      patient.network.tap = flood;
      patient.network.link = { ...BASE, rate: 0 };
      const { client, server } = await patient.connected();
      await same(patient, client, server, patient.random.bytes(20_000));
      assert.ok(patient.client.endpoint.drops.unexpected > 20 && patient.server.endpoint.drops.unexpected > 20);
      const stranger = offering([...others, 0x48460002]);
      stranger.dial();
      await stranger.clock.runUntilAsync(() => stranger.client.events.length > 0, 20_000);
      const [event] = stranger.client.events;
      assert.equal(event?.type === "failed" && event.error.code, "NOT_REACHABLE");
      return `${2 * dials} lists, ours first in ${places[0]}; connected among 15 unknown ones; without ours NOT_REACHABLE`;
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
