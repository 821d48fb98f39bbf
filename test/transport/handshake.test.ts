import assert from "node:assert/strict";
import { test } from "node:test";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { concat } from "#kernel/bytes.js";
import { Acceptor, type Lookup } from "#transport/acceptor.js";
import { Dial } from "#transport/dial.js";
import { HANDSHAKE_SIZE, handshakeType, initHeader, sealInit } from "#transport/handshakePackets.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { sourceKey, TokenBuckets } from "#transport/tokenBuckets.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { ChannelWorld, CLIENT, SERVER } from "../support/channel.js";
import { counting } from "../support/crypto.js";

/** A server's Acceptor and a client's Dial without anything around them. */
function pair(options: { readonly halfOpen?: number; readonly crypto?: Crypto; readonly lookup?: Lookup } = {}) {
  const crypto = options.crypto ?? nativeCrypto;
  const random = new SeededRandom(21).bytes;
  const server = crypto.x25519KeyPair(random(32));
  const client = crypto.x25519KeyPair(random(32));
  const psk = random(32);
  const acceptor = new Acceptor({
    crypto,
    random,
    own: server,
    lookup: options.lookup ?? (() => ({ psk, id: "client" })),
    parameters: () => DEFAULT_PARAMETERS,
    resetKey: random(32),
    newCid: () => random(8),
    halfOpen: () => options.halfOpen ?? 0,
    now: 0,
  });
  const dial = (now = 0, from = client): Dial =>
    new Dial({
      ...{ crypto, random, own: from, peerStatic: server.public, psk, to: [SERVER] },
      ...{ scid: random(8), parameters: DEFAULT_PARAMETERS, now },
    });
  return { crypto, random, server, client, psk, acceptor, dial };
}

const initOf = (dial: Dial, now = 0): Uint8Array => dial.nextDatagram(now)?.bytes ?? new Uint8Array();

test("one round trip, one datagram of 1200 bytes each way", async () => {
  const world = new ChannelWorld({ seed: 1, link: { ...new ChannelWorld({ seed: 1 }).network.link, delayMs: 20 } });
  const seen: string[] = [];
  world.network.tap = (bytes, from) => {
    seen.push(
      `${from.host === SERVER.host ? "server" : "client"} ${(bytes[0] ?? 0) >> 6 === 3 ? "handshake" : "data"} ${bytes.length >= 1200 ? 1200 : ""}`,
    );
    return [bytes];
  };
  const start = world.clock.now();
  world.dial();
  await world.clock.runUntilAsync(() => world.client.session !== undefined, 1000);
  assert.equal(world.clock.now() - start, 40);
  assert.deepEqual(seen.slice(0, 2), ["client handshake 1200", "server handshake 1200"]);
  assert.equal(world.server.session, undefined, "the server waits for the first data packet");
  await world.clock.runUntilAsync(() => world.server.session !== undefined, 1000);
  assert.equal(world.clock.now() - start, 60);
  assert.equal(seen[2]?.startsWith("client data"), true);
});

test("an Init is repeated byte for byte with growing pauses, and costs the server its Diffie-Hellman once", () => {
  const crypto = counting(nativeCrypto);
  const { acceptor, dial } = pair({ crypto });
  const one = dial();
  const inits: Uint8Array[] = [];
  const times: number[] = [];
  let now = 0;
  while (one.tick(now) === undefined) {
    for (let datagram = one.nextDatagram(now); datagram; datagram = one.nextDatagram(now)) {
      inits.push(datagram.bytes);
      times.push(now);
    }
    now = one.deadline;
  }
  assert.equal(now, 10_000);
  assert.ok(inits.every((init) => init.length === HANDSHAKE_SIZE && Buffer.from(init).equals(inits[0] ?? init)));
  [250, 500, 1000, 2000, 2000, 2000].forEach((pause, i) => {
    const real = (times[i + 1] ?? 0) - (times[i] ?? 0);
    assert.ok(Math.abs(real - pause) <= pause * 0.1 + 1e-6, `pause ${i}: ${real}`);
  });

  crypto.count.dh = 0;
  const first = acceptor.receive(inits[0] ?? new Uint8Array(), CLIENT, 0);
  assert.ok(first.reply && first.accepted);
  assert.equal(crypto.count.dh, 4);
  assert.ok(first.reply.length <= HANDSHAKE_SIZE);
  for (const at of [1, 500, 9_999]) {
    const again = acceptor.receive(inits[0] ?? new Uint8Array(), CLIENT, at);
    assert.deepEqual(again, { reply: first.reply });
  }
  assert.equal(crypto.count.dh, 4);
  assert.equal(acceptor.drops.duplicate, 3);
  // Just outside: 10 s later the cache has forgotten it.
  assert.notDeepEqual(acceptor.receive(inits[0] ?? new Uint8Array(), CLIENT, 10_000).reply, first.reply);
});

test("without a valid mac1 there is no answer, whatever the bytes", () => {
  const { acceptor, dial, random } = pair();
  const seeded = new SeededRandom(3);
  const init = initOf(dial());
  for (let i = 0; i < 2_000; i++) {
    let bytes = random(seeded.integer(1500));
    if (bytes.length > 0) bytes[0] = 0xc0 | ((bytes[0] ?? 0) & 0x3f);
    if (i % 2 === 0) {
      bytes = init.slice();
      const at = seeded.integer(HANDSHAKE_SIZE - 16);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << seeded.integer(8));
    }
    assert.deepEqual(acceptor.receive(bytes, CLIENT, 0), {});
  }
  assert.equal(acceptor.drops.mac1, 2_000);
  assert.deepEqual(acceptor.receive(init.subarray(0, 1199), CLIENT, 0), {});
  assert.deepEqual(acceptor.receive(concat(init, Uint8Array.of(0)), CLIENT, 0), {});
  assert.ok(acceptor.receive(init, CLIENT, 0).reply);
});

test("a stranger who knows the server's key gets no answer", () => {
  const { crypto, acceptor, server, random, dial, client } = pair({
    lookup: (key) => (Buffer.from(key).equals(client.public) ? { psk: new Uint8Array(32), id: "client" } : undefined),
  });
  const header = initHeader(random(8), random);
  const garbage = sealInit(crypto, server.public, header, random(HANDSHAKE_SIZE - header.length - 32));
  assert.deepEqual(acceptor.receive(garbage, CLIENT, 0), {});
  const stranger = crypto.x25519KeyPair(random(32));
  assert.deepEqual(acceptor.receive(initOf(dial(0, stranger)), CLIENT, 0), {});
  assert.equal(acceptor.drops.stranger, 2);
  assert.ok(acceptor.receive(initOf(dial()), CLIENT, 0).accepted);
});

test("an edited Response or Cookie is ignored, the right one still counts", () => {
  const { acceptor, dial } = pair();
  const one = dial();
  const { reply } = acceptor.receive(initOf(one), CLIENT, 0);
  assert.ok(reply);
  const seeded = new SeededRandom(9);
  // All of the header, and a sample of the rest.
  const bits = [...Array(21 * 8).keys(), ...Array.from({ length: 200 }, () => seeded.integer(reply.length * 8))];
  for (const bit of bits) {
    const bad = reply.slice();
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const result = one.receive(bad, SERVER, 1);
    // The first byte's form and grease, and the DCID by which the endpoint finds the dial, are not the dial's to judge…
    if (result && bit >= 13 * 8) assert.fail(`bit ${bit} went unnoticed`);
    if (result) break;
  }
  for (let i = 0; i < 500; i++) assert.equal(dial().receive(seeded.bytes(seeded.integer(1300)), SERVER, 1), undefined);
  assert.equal(dial().receive(reply, SERVER, 1), undefined, "another dial's Response");
});

test("under load a client proves its address with a cookie, then gets in", () => {
  const { acceptor, dial } = pair({ halfOpen: 33 });
  const one = dial();
  const init = initOf(one);
  const asked = acceptor.receive(init, CLIENT, 0);
  assert.equal(asked.accepted, undefined);
  assert.equal(handshakeType(asked.reply ?? new Uint8Array()), 2);
  assert.equal(asked.reply?.length, 69);
  one.receive(asked.reply ?? new Uint8Array(), SERVER, 5);
  const second = initOf(one, 5);
  assert.deepEqual(second.subarray(0, -16), init.subarray(0, -16), "only mac2 changes");
  for (const wrong of [
    { ...CLIENT, host: "10.0.0.3" },
    { ...CLIENT, port: 50_001 },
  ])
    assert.equal(acceptor.receive(second, wrong, 5).accepted, undefined);
  assert.ok(acceptor.receive(second, CLIENT, 5).accepted);
});

test("32 half-open connections are no load, 33 are", () => {
  for (const [halfOpen, cookie] of [
    [32, false],
    [33, true],
  ] as const) {
    const { acceptor, dial } = pair({ halfOpen });
    assert.equal(acceptor.receive(initOf(dial()), CLIENT, 0).accepted === undefined, cookie);
  }
});

test("a cookie lives at least 120 s and less than 240 s", () => {
  for (const [age, good] of [
    [119_999, true],
    [120_001, true],
    [239_999, true],
    [240_000, false],
    [4_000_000, false],
  ] as const) {
    const { acceptor, dial } = pair({ halfOpen: 33 });
    const one = dial();
    one.receive(acceptor.receive(initOf(one), CLIENT, 0).reply ?? new Uint8Array(), SERVER, 1);
    const init = initOf(one, 1);
    if (age > 120_000 && age < 240_000) acceptor.receive(initOf(dial()), CLIENT, 120_000);
    assert.equal(acceptor.receive(init, CLIENT, age).accepted !== undefined, good, `${age} ms`);
  }
});

test("cookies that never satisfy the server do not become a storm of Inits", () => {
  const { acceptor, dial } = pair({ halfOpen: 33 });
  const one = dial();
  let sent = 0;
  for (let now = 0; now < 240; now++) {
    for (let datagram = one.nextDatagram(now); datagram; datagram = one.nextDatagram(now)) {
      sent++;
      // A NAT that gives every datagram another port.
      const { reply } = acceptor.receive(datagram.bytes, { host: CLIENT.host, port: 1000 + sent }, now);
      if (reply) one.receive(reply, SERVER, now);
    }
  }
  assert.equal(sent, 2);
});

test("a recorded Init that is played back for ever does not lock its owner out", () => {
  const { acceptor, dial } = pair();
  const recorded = initOf(dial());
  const tries = { accepted: 0, cookies: 0 };
  for (let now = 0; now < 60_000; now += 100) {
    // Old enough to have left the cache, from the owner's own (forged) address.
    const { accepted, reply } = acceptor.receive(recorded, CLIENT, 100_000 + now * 101);
    if (accepted) tries.accepted++;
    if (reply?.length === 69) tries.cookies++;
  }
  const at = 100_000 + 60_000 * 101;
  for (let i = 0; i < 50; i++) acceptor.receive(initOf(dial()), CLIENT, at);
  const one = dial(at);
  const asked = acceptor.receive(initOf(one, at), CLIENT, at).reply ?? new Uint8Array();
  assert.equal(asked.length, 69, "over the limit a cookie is demanded");
  one.receive(asked, SERVER, at);
  assert.ok(acceptor.receive(initOf(one, at), CLIENT, at).accepted);
});

test("the server says nothing in the connection before the client's first data packet", async () => {
  const world = new ChannelWorld({ seed: 4 });
  const fromServer: Uint8Array[] = [];
  world.network.tap = (bytes, from) => {
    if (from.host === SERVER.host) fromServer.push(bytes);
    return (bytes[0] ?? 0) >> 6 === 1 ? [] : [bytes];
  };
  world.dial();
  await world.clock.runUntilAsync(() => false, 5_000);
  assert.equal(fromServer.length, 1);
  assert.equal(world.server.session, undefined);
});

test("a device that was forgotten is told so, a stranger is not, and a wrong secret is not a session", async () => {
  for (const [bond, code] of [
    ["forgotten", "PEER_FORGOT_US"],
    [undefined, "NOT_REACHABLE"],
    [{ psk: new Uint8Array(32).fill(1), id: "client" }, "NOT_REACHABLE"],
  ] as const) {
    const world = new ChannelWorld({ seed: 5 });
    world.bond = bond;
    world.dial();
    await world.clock.runUntilAsync(() => world.client.events.length > 0, 20_000);
    const [event] = world.client.events;
    assert.equal(event?.type === "failed" && event.error.code, code);
    await world.clock.runUntilAsync(() => false, 20_000);
    assert.equal(world.server.sessions.length, 0);
  }
});

test("an older connection is replaced when the new one is confirmed, never by an Init alone", async () => {
  const world = new ChannelWorld({ seed: 6 });
  const { server } = await world.connected();
  const end = (): string | undefined => server.closeInfo?.error?.code;
  let dropData = true;
  const first = world.clock.now();
  world.network.tap = (bytes, from) =>
    dropData && from.host === CLIENT.host && (bytes[0] ?? 0) >> 6 === 1 && world.clock.now() > first ? [] : [bytes];
  world.dial();
  await world.clock.runUntilAsync(() => world.client.sessions.length === 2, 1_000);
  await world.clock.runUntilAsync(() => false, 100);
  assert.equal(end(), undefined);
  dropData = false;
  await world.clock.runUntilAsync(() => end() !== undefined, 10_000);
  assert.equal(end(), "REPLACED");
  assert.equal(world.server.sessions.length, 2);
  assert.equal(world.server.session?.closeInfo, undefined);
});

test("sources are IPv4 addresses and IPv6 networks", () => {
  const same: readonly (readonly [string, string])[] = [
    ["2001:db8:1:2::1", "2001:db8:1:2:ffff::7"],
    ["2001:db8::1", "2001:db8::2"],
    ["fe80::1%eth0", "fe80::2%eth0"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
  ];
  for (const [a, b] of same) assert.equal(sourceKey(a), sourceKey(b));
  const different: readonly (readonly [string, string])[] = [
    ["2001:db8:1:2::1", "2001:db8:1:3::1"],
    ["10.0.0.1", "10.0.0.2"],
    ["::1", "1::"],
  ];
  for (const [a, b] of different) assert.notEqual(sourceKey(a), sourceKey(b));
});

test("a bucket gives its burst, then its rate, and remembers a bounded number of keys", () => {
  const bucket = new TokenBuckets(2, 3, 2);
  const take = (key: string, at: number): boolean => bucket.take(key, at);
  assert.deepEqual(
    [0, 0, 0, 0].map((at) => take("a", at)),
    [true, true, true, false],
  );
  assert.deepEqual(
    [499, 500, 501].map((at) => take("a", at)),
    [false, true, false],
  );
  for (const key of ["b", "c"]) take(key, 600);
  assert.equal(take("a", 601), true, "the oldest key was forgotten, so it begins anew");
});
