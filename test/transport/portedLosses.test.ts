import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import { type Address, sameAddress } from "#kernel/ports.js";
import { FRAME } from "#transport/frames.js";
import { GOOD_LINK } from "../simulation/network.js";
import { ChannelWorld, CLIENT, SERVER } from "../support/channel.js";
import { counting } from "../support/crypto.js";
import { frame, HostileClient } from "../support/hostile.js";
import { transfer } from "../support/streams.js";

// Single tests of other QUIC stacks, by their names there, where packets or addresses go astray: transport.md §7c, §7d.

const STREAM_AT = 0x0e; // with offset and length
const FIN = 0x01;

test("congested_tail_loss: when the last packets of a flight are lost, two probes a timeout bring the rest", async () => {
  const world = new ChannelWorld({ seed: 1, link: { ...GOOD_LINK, delayMs: 10 } });
  const { client, server } = await world.connected();
  await world.until(transfer(client, server, world.random.bytes(20_000)));
  const bytes = world.random.bytes(12_000);
  let dark = false;
  let probes = 0;
  let passed = 0;
  world.network.tap = (datagram, from) => {
    if (!sameAddress(from, CLIENT)) return [datagram];
    if (dark) probes++;
    return dark || ++passed > 5 ? [] : [datagram];
  };
  const moved = transfer(client, server, bytes);
  await world.clock.runUntilAsync(() => client.stats().probeTimeouts > 0, 1_000);
  dark = true;
  const { probeTimeouts } = client.stats();
  await world.clock.runUntilAsync(() => client.stats().probeTimeouts > probeTimeouts, 1_000);
  assert.ok(probes <= 4, `${probes} packets in two timeouts`);
  world.network.tap = undefined;
  const start = world.clock.now();
  assert.ok(Buffer.from(await world.until(moved)).equals(bytes));
  assert.ok(world.clock.now() - start < 1_000);
});

test("finish_stream_flow_control_reordered: the end comes before what it ends", async () => {
  const attacker = new HostileClient(new ChannelWorld({ seed: 2 }));
  const text = new TextEncoder().encode("abcdefghij");
  attacker.send(frame(STREAM_AT | FIN, [0, 10, 0]));
  attacker.send(frame(STREAM_AT, [0, 4, 6], text.subarray(4)));
  attacker.send(frame(STREAM_AT, [0, 0, 4], text.subarray(0, 4)));
  for await (const stream of attacker.victim.incomingStreams()) {
    assert.deepEqual(await stream.read(), text);
    assert.equal(await stream.read(), undefined);
    break;
  }
  assert.equal(attacker.victim.closeInfo, undefined);
});

test("oversized_datagrams_trigger_unblock: what no longer fits is dropped, and keeps nothing else back", async () => {
  const world = new ChannelWorld({ seed: 3, endpoint: { maxDatagram: () => 8952 } });
  const { client, server } = await world.connected();
  await world.until(transfer(client, server, world.random.bytes(2_000_000)));
  assert.ok(client.maxDatagramSize > 8000);
  const seen: number[] = [];
  void (async () => {
    for await (const { length } of server.datagrams()) seen.push(length);
  })();
  const large = new Uint8Array(client.maxDatagramSize);
  world.network.link = { ...world.network.link, mtu: 1300 };
  const moved = transfer(client, server, world.random.bytes(300_000));
  // A large one waits at every moment, until nobody takes it any more.
  while (client.maxDatagramSize >= large.length) {
    client.sendDatagram(large);
    await world.clock.runUntilAsync(() => false, 1);
  }
  assert.equal(client.sendDatagram(large), false);
  assert.equal(client.sendDatagram(new Uint8Array(100)), true);
  await world.until(moved);
  assert.ok(seen.includes(100));
});

test("mtud_probes_include_immediate_ack: and nothing else that could be lost", async () => {
  const world = new ChannelWorld({ seed: 4, endpoint: { maxDatagram: () => 1452 } });
  const attacker = new HostileClient(world);
  const stream = await attacker.victim.openStream();
  void stream.write(new Uint8Array(100_000)).catch(() => {});
  attacker.drain();
  for (let i = 0; i < 20; i++) {
    attacker.acknowledge();
    attacker.wait(5);
  }
  assert.ok(attacker.answers.some(({ size }) => size === 1452));
  assert.ok(attacker.seen.some((seen) => seen.kind === "numbers" && seen.type === FRAME.IMMEDIATE_ACK));
});

test("pure_sender_voluntarily_acks: who sends nothing but ACKs asks now and then whether they arrive", () => {
  const attacker = new HostileClient(new ChannelWorld({ seed: 5 }));
  attacker.acknowledge();
  const asked: number[] = [];
  for (let i = 0; i < 100; i++) {
    attacker.send(frame(FRAME.PING), frame(FRAME.IMMEDIATE_ACK));
    if (attacker.victim.stats().bytesInFlight === 0) continue;
    asked.push(i);
    attacker.acknowledge();
  }
  assert.ok(asked.length >= 3 && asked.length <= 7, asked.join());
});

test("a packet of one connection under the ID of another is a forgery to both", async () => {
  const world = new ChannelWorld({ seed: 6 });
  const other: Address = { host: "10.0.7.7", port: 7 };
  const friend = world.addClient(other, "friend");
  const heard = new Map<string, Uint8Array[]>();
  world.network.tap = (bytes, from) => {
    if ((bytes[0] ?? 0) >> 6 === 1) heard.set(from.host, [...(heard.get(from.host) ?? []), bytes.slice()]);
    return [bytes];
  };
  const { client, server } = await world.connected();
  const psk = world.others[0]?.bond.psk ?? new Uint8Array();
  friend.endpoint.connect({ to: [SERVER], peerStatic: world.serverKey.public, psk, id: "server" }, world.clock.now());
  friend.pump.turn();
  await world.clock.runUntilAsync(() => world.server.sessions.length === 2, 1_000);
  const { forged } = world.server.endpoint.drops;
  const [mine, theirs] = [heard.get(CLIENT.host) ?? [], heard.get(other.host) ?? []];
  const id = (packets: readonly Uint8Array[]): Uint8Array => packets[0]?.subarray(1, 9) ?? new Uint8Array(8);
  // Later numbers, so that no window stands in the way: the tag has to tell.
  client.sendDatagram(Uint8Array.of(1));
  await world.clock.runUntilAsync(() => false, 50);
  let spliced = 0;
  for (const [packets, target] of [
    [mine, id(theirs)],
    [theirs, id(mine)],
  ] as const)
    for (const packet of packets) {
      const bytes = packet.slice();
      bytes.set(target, 1);
      world.network.inject(bytes, CLIENT, SERVER);
      spliced++;
    }
  await world.clock.runUntilAsync(() => false, 50);
  const { drops } = world.server.endpoint;
  assert.ok(spliced > 2 && drops.forged > forged);
  assert.equal(world.server.sessions.filter(({ closeInfo }) => closeInfo).length, 0);
  assert.deepEqual(server.path, CLIENT);
});

test("request forgery (§21.5): nobody is sent anything who has not sent something first", async () => {
  const world = new ChannelWorld({ seed: 7 });
  const spoke = new Set<string>();
  const unasked: Address[] = [];
  world.network.tap = (bytes, from, to) => {
    spoke.add(`${from.host} ${from.port}`);
    if (sameAddress(from, SERVER) && !spoke.has(`${to.host} ${to.port}`)) unasked.push(to);
    return [bytes];
  };
  const { client, server } = await world.connected();
  for (let i = 1; i <= 5; i++) {
    const moved = transfer(i % 2 === 0 ? client : server, i % 2 === 0 ? server : client, world.random.bytes(100_000));
    world.client.socket.rebind({ host: `10.5.0.${i}`, port: CLIENT.port });
    if (i > 2) world.client.endpoint.networkChanged(world.clock.now());
    world.client.pump.turn();
    await world.until(moved);
  }
  assert.deepEqual(unasked, []);
});

test("a copied Init that arrives n times later costs what the cache and the buckets allow, and moves nothing", async () => {
  const crypto = counting(nativeCrypto);
  const world = new ChannelWorld({ seed: 8, crypto, endpoint: { keepAlive: true } });
  let init = new Uint8Array();
  world.network.tap = (bytes, from) => {
    if (sameAddress(from, CLIENT) && (bytes[0] ?? 0) >> 6 === 3) init = bytes.slice();
    return [bytes];
  };
  const { client, server } = await world.connected();
  crypto.count.dh = 0;
  for (let minute = 0; minute < 60; minute++) {
    for (let i = 0; i < 20; i++) world.network.inject(init, { ...CLIENT, port: 1 + i }, SERVER);
    await world.clock.runUntilAsync(() => false, 1_000);
  }
  // Once in ten seconds the cache forgets it: es, ss, ee, se.
  assert.ok(crypto.count.dh <= 7 * 4, `${crypto.count.dh}`);
  assert.deepEqual([client.closeInfo, server.closeInfo], [undefined, undefined]);
  assert.equal(world.server.sessions.length, 1);
});
