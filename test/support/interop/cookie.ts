import assert from "node:assert/strict";
import type { Address, Instant } from "#kernel/ports.js";
import { Dial } from "#transport/dial.js";
import { initHeader, sealInit } from "#transport/handshakePackets.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { ChannelWorld, CLIENT, SERVER } from "../channel.js";
import { BASE, type InteropCase, same } from "./world.js";

const COOKIE = 69;
const RESPONSE = 1200;
/** The secret behind cookies is new after so long: PROTOCOL.md §2. */
const ROTATE_MS = 120_000;

/** More handshakes within one second than a server takes unasked. */
function load(world: ChannelWorld, now: Instant): void {
  const { crypto, random } = world;
  for (let i = 0; i < 60; i++) {
    const header = initHeader(random.bytes(8), random.bytes);
    const init = sealInit(crypto, world.serverKey.public, header, random.bytes(1155));
    world.server.endpoint.receive(init, { host: `10.7.0.${i}`, port: 1 }, now);
    world.server.endpoint.nextDatagram(now);
  }
}

/** What the loaded server answers. */
function ask(world: ChannelWorld, init: Uint8Array, from: Address, now: Instant): Uint8Array {
  load(world, now);
  world.server.endpoint.receive(init, from, now);
  return world.server.endpoint.nextDatagram(now)?.bytes ?? new Uint8Array();
}

/** An Init whose mac2 was made with the cookie that the server gave to CLIENT at `now`. */
function initWithCookie(world: ChannelWorld, now: Instant): Uint8Array {
  const { crypto, random } = world;
  const dial = new Dial({
    ...{ crypto, random: random.bytes, own: world.clientKey, peerStatic: world.serverKey.public },
    ...{ psk: world.psk, to: [SERVER], scid: random.bytes(8), parameters: DEFAULT_PARAMETERS, now },
  });
  const next = (): Uint8Array => dial.nextDatagram(now)?.bytes ?? assert.fail("no Init");
  const cookie = ask(world, next(), CLIENT, now);
  assert.equal(cookie.length, COOKIE);
  assert.equal(dial.receive(cookie, SERVER, now), "cookie");
  return next();
}

/** How long the server's answer is to a cookie that it gave `at` and sees again `ageMs` later. */
function answer(at: Instant, ageMs: number, from: Address = CLIENT, spoil = false): number {
  const world = new ChannelWorld({ seed: 6 });
  const start = world.clock.now();
  const init = initWithCookie(world, start + at);
  // Somebody asks in between: the secret changes when it is due.
  if (at + ageMs > ROTATE_MS) load(world, start + Math.max(at, ROTATE_MS));
  if (spoil) init[1199] = (init[1199] ?? 0) ^ 1;
  return ask(world, init, from, start + at + ageMs).length;
}

export const COOKIES: readonly InteropCase[] = [
  {
    name: "cookie (retry)",
    check: "a loaded server asks for a cookie, then 10 KB; exactly one more round trip",
    async run() {
      const world = new ChannelWorld({ seed: 5, link: BASE });
      load(world, world.clock.now());
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
      await same(world, client, server, world.random.bytes(10_240));
      return `connected after ${took.toFixed(1)} ms at 30 ms`;
    },
  },
  {
    name: "cookie, whose and how old",
    check:
      "a right mac2 gets a Response; from another host or port, with a flipped bit, or too old it gets another Cookie",
    async run() {
      assert.equal(answer(0, 5), RESPONSE, "right");
      assert.equal(answer(0, 5, { ...CLIENT, host: "10.0.0.3" }), COOKIE, "another host");
      assert.equal(answer(0, 5, { ...CLIENT, port: CLIENT.port + 1 }), COOKIE, "another port");
      assert.equal(answer(0, 5, CLIENT, true), COOKIE, "a flipped bit");
      // Given when the secret was new it lives for two of its lives, given just before the next one for one.
      assert.equal(answer(0, 2 * ROTATE_MS - 1), RESPONSE);
      assert.equal(answer(0, 2 * ROTATE_MS), COOKIE);
      assert.equal(answer(ROTATE_MS - 1, ROTATE_MS), RESPONSE);
      assert.equal(answer(ROTATE_MS - 1, ROTATE_MS + 1), COOKIE);
      return "1 right, 3 wrong; lives 120 to 240 s, to the millisecond";
    },
  },
];
