import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Address } from "#kernel/ports.js";
import { Dial } from "#transport/dial.js";
import { initHeader, sealInit } from "#transport/handshakePackets.js";
import { DEFAULT_PARAMETERS } from "#transport/params.js";
import { GOOD_LINK } from "../simulation/network.js";
import { ChannelWorld, SERVER } from "../support/channel.js";
import { counting } from "../support/crypto.js";
import { transfer } from "../support/streams.js";

// Floods from outside (RFC 9000 §21.1, §21.3): what they cost is counted in cryptographic operations, not in milliseconds.

const stranger = (i: number): Address => ({
  host: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
  port: 1 + (i % 60_000),
});

async function flooded(seed: number) {
  const crypto = counting(nativeCrypto);
  const world = new ChannelWorld({ seed, crypto, link: { ...GOOD_LINK, delayMs: 5 } });
  const { client, server } = await world.connected();
  /** Gives the server one datagram; returns the bytes of its answers to that address. */
  const hit = (bytes: Uint8Array, from: Address): number => {
    const now = world.clock.now();
    world.server.endpoint.receive(bytes, from, now);
    let answered = 0;
    for (let next = world.server.endpoint.nextDatagram(now); next; next = world.server.endpoint.nextDatagram(now)) {
      if (next.to === from) answered += next.bytes.length;
      else world.network.inject(next.bytes, SERVER, next.to);
    }
    return answered;
  };
  return { world, crypto, client, server, hit };
}

test("Inits from strangers cost one hash each, get no answer and disturb nobody", async () => {
  const { world, crypto, client, server, hit } = await flooded(1);
  const bytes = world.random.bytes(300_000);
  const moved = transfer(client, server, bytes);
  const flood = world.random.bytes(1200);
  flood.set([0xc0, 0x48, 0x46, 0, 1]);
  let hashes = 0;
  for (let i = 0; i < 5_000; i++) {
    flood[100 + (i % 1000)] = i;
    const before = { ...crypto.count };
    assert.equal(hit(flood, stranger(i)), 0);
    assert.equal(crypto.count.dh, before.dh);
    hashes = Math.max(hashes, crypto.count.hmac - before.hmac);
    if (i % 10 === 0) await world.clock.runUntilAsync(() => false, 1);
  }
  assert.equal(hashes, 1);
  assert.ok(Buffer.from(await world.until(moved)).equals(bytes));
  assert.equal(world.server.endpoint.drops.mac1, 5_000);
});

test("data for connections that do not exist gets ten resets a second for each source, and costs no decryption", async () => {
  const { world, hit, client } = await flooded(2);
  let answered = 0;
  for (let i = 0; i < 2_000; i++) {
    const flood = world.random.bytes(1400);
    flood[0] = 0x40;
    answered += hit(flood, stranger(7));
  }
  assert.equal(answered, 10 * 43);
  assert.equal(client.closeInfo, undefined);
});

test("Inits that are authentic, recorded by thousands, cost at most fifty Diffie-Hellmans a second", async () => {
  const { world, crypto, client, server, hit } = await flooded(3);
  // Somebody who knows the server's key (it was bonded once) makes Inits that pass mac1.
  const inits = Array.from({ length: 300 }, () => {
    const header = initHeader(world.random.bytes(8), world.random.bytes);
    return sealInit(crypto, world.serverKey.public, header, world.random.bytes(1200 - 13 - 32));
  });
  const bytes = world.random.bytes(300_000);
  const moved = transfer(client, server, bytes);
  crypto.count.dh = 0;
  const start = world.clock.now();
  for (let i = 0; i < 3_000; i++) {
    const answered = hit(inits[i % 300] ?? new Uint8Array(), stranger(i));
    assert.ok(answered <= 1200);
    if (i % 3 === 0) await world.clock.runUntilAsync(() => false, 1);
  }
  const seconds = (world.clock.now() - start) / 1000;
  assert.ok(crypto.count.dh <= 50 + 50 * seconds, `${crypto.count.dh} in ${seconds} s`);
  assert.ok(Buffer.from(await world.until(moved)).equals(bytes));
});

test("an honest client gets in while the flood goes on", async () => {
  const { world, crypto, hit } = await flooded(4);
  const inits = Array.from({ length: 400 }, () => {
    const header = initHeader(world.random.bytes(8), world.random.bytes);
    return sealInit(crypto, world.serverKey.public, header, world.random.bytes(1200 - 13 - 32));
  });
  const friend = world.addClient({ host: "10.0.7.7", port: 7 }, "friend");
  const psk = world.others[0]?.bond.psk ?? new Uint8Array();
  for (let i = 0; i < 400; i++) hit(inits[i] ?? new Uint8Array(), stranger(i));
  friend.endpoint.connect({ to: [SERVER], peerStatic: world.serverKey.public, psk, id: "server" }, world.clock.now());
  friend.pump.turn();
  const before = world.server.endpoint.drops.cookie;
  for (let i = 0; i < 2_000 && !friend.session; i++) {
    hit(inits[i % 400] ?? new Uint8Array(), stranger(i));
    await world.clock.runUntilAsync(() => false, 1);
  }
  assert.ok(friend.session, "the cookie let it in");
  assert.ok(world.server.endpoint.drops.cookie > before);
});

test("half-open connections of one device are two at most, however many Inits it sends", async () => {
  const { world, crypto, hit, client, server } = await flooded(5);
  for (let i = 0; i < 50; i++) {
    const now = world.clock.now();
    const dial = new Dial({
      ...{ crypto, random: world.random.bytes, own: world.clientKey, peerStatic: world.serverKey.public },
      ...{ psk: world.psk, to: [SERVER], scid: world.random.bytes(8), parameters: DEFAULT_PARAMETERS, now },
    });
    hit(dial.nextDatagram(now)?.bytes ?? new Uint8Array(), stranger(i));
    await world.clock.runUntilAsync(() => false, 500);
  }
  assert.ok(world.server.endpoint.halfOpen <= 2);
  assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
  await world.clock.runUntilAsync(() => false, 20_000);
  assert.equal(world.server.endpoint.halfOpen, 0);
});

test("the server never sends more to an unproved address than came from there (§21.3)", async () => {
  const { world, hit, crypto } = await flooded(6);
  const sent = new Map<string, number>();
  const got = new Map<string, number>();
  const count = (map: Map<string, number>, host: string, bytes: number): void => {
    map.set(host, (map.get(host) ?? 0) + bytes);
  };
  for (let i = 0; i < 2_000; i++) {
    const from = stranger(world.random.integer(20));
    const now = world.clock.now();
    const dial = new Dial({
      ...{ crypto, random: world.random.bytes, own: world.clientKey, peerStatic: world.serverKey.public },
      ...{ psk: world.psk, to: [SERVER], scid: world.random.bytes(8), parameters: DEFAULT_PARAMETERS, now },
    });
    const init = dial.nextDatagram(now)?.bytes ?? new Uint8Array();
    const bytes = world.random.chance(0.5) ? init : world.random.bytes(world.random.integer(1400));
    count(sent, from.host, bytes.length);
    count(got, from.host, hit(bytes, from));
    if (i % 20 === 0) await world.clock.runUntilAsync(() => false, 300);
    for (const [host, bytesBack] of got) assert.ok(bytesBack <= (sent.get(host) ?? 0));
  }
});
