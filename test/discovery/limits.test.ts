import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser } from "#discovery/browser.js";
import { RecordCache } from "#discovery/cache.js";
import { isHostAddress, isOnLink, parseIpv4 } from "#discovery/ipv4.js";
import { isSendableName } from "#discovery/names.js";
import { PacketFilter } from "#discovery/packetFilter.js";
import { type DnsRecord, SERVICE } from "#discovery/records.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { advertiserOnBench, announcedOnBench, ask, ETH, NEIGHBOUR, typesOf } from "./bench.js";
import { encode } from "./segment.js";

const { bytes: random } = new SeededRandom(1);

test("names: labels of 1 to 63 bytes, 254 bytes in all", () => {
  const long = `${"a".repeat(62)}.`.repeat(4);
  for (const [name, sendable] of [
    ["a", true],
    ["a.", true],
    ["", false],
    ["a..b", false],
    [".a", false],
    ["a".repeat(63), true],
    ["a".repeat(64), false],
    ["é".repeat(31), true],
    ["é".repeat(32), false],
    [`${long}`, true],
    [`${long}a`, false],
  ] as const)
    assert.equal(isSendableName(name), sendable, name);
});

test("addresses: four decimal bytes; a link is a prefix", () => {
  for (const [text, value] of [
    ["0.0.0.0", 0],
    ["255.255.255.255", 2 ** 32 - 1],
    ["10.0.0.1", 0x0a000001],
    ["256.0.0.1", undefined],
    ["1.2.3", undefined],
    ["1.2.3.4.5", undefined],
    ["01.2.3.4", undefined],
    ["::1", undefined],
    [7, undefined],
  ] as const)
    assert.equal(parseIpv4(text), value, String(text));
  for (const [address, prefix, near] of [
    ["10.0.0.255", 24, true],
    ["10.0.1.0", 24, false],
    ["10.0.1.0", 23, true],
    ["10.0.0.1", 32, true],
    ["10.0.0.2", 32, false],
    ["200.0.0.1", 0, true],
    ["fe80::1", 0, false],
  ] as const)
    assert.equal(isOnLink(address, [{ address: "10.0.0.1", prefix }]), near, `${address}/${prefix}`);
  for (const [address, is] of [
    ["0.255.255.255", false],
    ["1.0.0.0", true],
    ["223.255.255.255", true],
    ["224.0.0.0", false],
    ["127.0.0.1", false],
  ] as const)
    assert.equal(isHostAddress(address, ETH.subnets), is, address);
});

test("the door: 256 records, 400 packets at once, 200 a second", () => {
  const records = (count: number): DnsRecord[] =>
    Array.from({ length: count }, () => ({ name: "a", type: "A", data: "" }));
  for (const [count, accepted] of [
    [256, true],
    [257, false],
  ] as const) {
    const filter = new PacketFilter();
    const packet = { answers: records(100), additionals: records(count - 100) };
    assert.equal(filter.accepts(packet, NEIGHBOUR, true, ETH, 0), accepted);
    assert.equal(filter.drops.oversized, accepted ? 0 : 1);
  }
  const filter = new PacketFilter();
  const accepted = (now: number): number =>
    Array.from({ length: 1000 }).filter(() => filter.accepts({}, NEIGHBOUR, false, ETH, now)).length;
  assert.deepEqual([accepted(0), accepted(0), accepted(1000), accepted(60_000)], [400, 0, 200, 400]);
  assert.equal(filter.accepts({}, { ...NEIGHBOUR, interface: "wlan0" }, false, ETH, 60_000), true, "each has its own");
});

test("32 questions of a packet are read", () => {
  const other = Array.from({ length: 40 }, (_, i) => ({ name: `x${i}.local`, type: "A" }));
  for (const [place, answered] of [
    [31, true],
    [32, false],
  ] as const) {
    const bench = announcedOnBench();
    const questions = other.with(place, { name: bench.machine.labels.host, type: "A" });
    ask(bench, { questions });
    assert.equal(bench.advance(1000).length > 0, answered, String(place));
  }
});

test("1024 record sets are kept; of one more the one heard least lately goes", () => {
  const cache = new RecordCache(random);
  const put = (i: number): void => cache.put({ name: `h${i}.local`, type: "A", ttl: 9, data: "10.0.0.1" }, 8, i);
  for (let i = 0; i < 1024; i++) put(i);
  assert.equal(cache.get("h0.local", "A").length, 1);
  put(0);
  put(1024);
  assert.deepEqual([cache.size, cache.get("h0.local", "A").length, cache.get("h1.local", "A").length], [1024, 1, 0]);
});

test("the fullest packets of ours fit an Ethernet frame", () => {
  const subnets = Array.from({ length: 20 }, (_, i) => ({ address: `192.168.100.${100 + i}`, prefix: 24 }));
  const facts = { name: "é".repeat(32), service: "s".repeat(62) };
  const bench = advertiserOnBench(1, [{ name: "eth0", subnets }], facts);
  bench.machine.setPairing(true, 0);
  const sent = bench.advance(3000);
  assert.equal(typesOf(sent.at(-1)?.message.packet.answers).match(/A/g)?.length, 8);
  for (const { message } of sent) assert.ok(encode(message).length <= 1452);

  const browser = new Browser(random);
  browser.setInterfaces([ETH], 0);
  browser.setActive(true, 0);
  for (let i = 0; i < 200; i++) {
    const instance = `${`${"é".repeat(30)}.`.repeat(3)}${i}.${SERVICE}`;
    const target = `${i}.local`;
    const answers: DnsRecord[] = [
      { name: SERVICE, type: "PTR", ttl: 120, data: instance },
      ...(i < 100 ? [{ name: instance, type: "SRV", ttl: 120, data: { port: 1, target } }] : []),
      ...(i < 100 ? [{ name: instance, type: "TXT", ttl: 120, data: [Buffer.from("v=1")] }] : []),
      ...(i < 100 ? [{ name: target, type: "A", ttl: 120, data: "10.0.0.9" }] : []),
    ];
    browser.receive({ answers }, NEIGHBOUR, 0);
  }
  assert.equal(browser.hosts.length, 100);
  let packets = 0;
  browser.tick(500);
  for (let message = browser.nextMessage(); message; message = browser.nextMessage(), packets++) {
    const { length } = encode(message);
    assert.ok(length <= 1452, String(length));
    if (packets === 0) assert.ok((message.packet.answers?.length ?? 0) > 3);
  }
  assert.ok(packets > 1 && packets <= 5, `${packets} packets`);
});
