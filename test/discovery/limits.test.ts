import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser } from "#discovery/browser.js";
import { RecordCache } from "#discovery/cache.js";
import { isHostAddress, isOnLink, type LocalInterface, type Subnet } from "#discovery/localInterface.js";
import { isSendableName } from "#discovery/names.js";
import { PacketFilter } from "#discovery/packetFilter.js";
import { addressOf } from "#discovery/rdata.js";
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

test("addresses: four bytes in A, sixteen in AAAA, in their one text; a link is a prefix, and has a zone", () => {
  for (const [type, data, text] of [
    ["A", "10.0.0.1", "10.0.0.1"],
    ["A", "256.0.0.1", undefined],
    ["A", "::1", undefined],
    ["A", "::ffff:10.0.0.1", "10.0.0.1"],
    ["A", 7, undefined],
    ["AAAA", "FD00::0:1", "fd00::1"],
    ["AAAA", "10.0.0.1", undefined],
    ["AAAA", "::ffff:10.0.0.1", undefined],
    ["AAAA", "fe80::1%eth0", undefined],
  ] as const)
    assert.equal(addressOf({ type, data }), text, String(data));
  for (const [address, prefix, near] of [
    ["10.0.0.255", 24, true],
    ["10.0.1.0", 24, false],
    ["10.0.1.0", 23, true],
    ["10.0.0.1", 32, true],
    ["10.0.0.2", 32, false],
    ["200.0.0.1", 0, true],
    ["fe80::1", 0, false],
  ] as const)
    assert.equal(isOnLink(address, on({ address: "10.0.0.1", prefix })), near, `${address}/${prefix}`);
  for (const [address, prefix, near] of [
    ["fd00::ffff:0:0:0:2", 64, false],
    ["fd00::ffff:0:0:2", 64, true],
    ["fd00:0:0:1::2", 64, false],
    ["fd00:0:0:1::2", 63, true],
    ["fd00::1", 128, true],
    ["fd00::2", 128, false],
    ["10.0.0.1", 0, false],
  ] as const)
    assert.equal(isOnLink(address, on({ address: "fd00::1", prefix })), near, `${address}/${prefix}`);
  const link = { address: "fe80::1", prefix: 64 };
  assert.equal(isOnLink("fe80::2%eth0", on(link)), true);
  assert.equal(isOnLink("fe80::2%wlan0", on(link)), false, "another link has the same prefix");
  assert.equal(isOnLink("fe80::2%12", { ...on(link), zone: "12" }), true);
  assert.equal(isOnLink("fe80::2%eth0", { ...on(link), zone: "12" }), false);
  for (const [address, is] of [
    ["0.255.255.255", false],
    ["1.0.0.0", true],
    ["223.255.255.255", true],
    ["224.0.0.0", false],
    ["127.0.0.1", false],
    ["fe80::2", true],
    ["2001:db8::1", true],
    ["::", false],
    ["::1", false],
    ["::2", false],
    ["feff::1", true],
    ["ff00::1", false],
    ["", false],
  ] as const)
    assert.equal(isHostAddress(address, ETH), is, address);
  assert.equal(isHostAddress("::1", on({ address: "::1", prefix: 128 })), true);
  assert.equal(isHostAddress("127.0.0.2", on({ address: "127.0.0.1", prefix: 8 })), true);
});

function on(...subnets: Subnet[]): LocalInterface {
  return { name: "eth0", subnets };
}

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
  const dual = on(...ETH.subnets, { address: "fe80::1", prefix: 64 });
  const ipv6 = { ...NEIGHBOUR, address: "fe80::2%eth0" };
  assert.equal(filter.accepts({}, ipv6, false, dual, 60_000), true, "and each family");
  assert.equal(filter.accepts({}, { ...ipv6, address: "fe80::2%eth1" }, false, dual, 60_000), false);
  assert.equal(filter.drops.offLink, 1);
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

test("1280 record sets are kept; of one more the one heard least lately goes", () => {
  const cache = new RecordCache(random);
  const put = (i: number): void => cache.put({ name: `h${i}.local`, type: "A", ttl: 9, data: "10.0.0.1" }, 8, i);
  for (let i = 0; i < 1280; i++) put(i);
  assert.equal(cache.get("h0.local", "A").length, 1);
  put(0);
  put(1280);
  assert.deepEqual([cache.size, cache.get("h0.local", "A").length, cache.get("h1.local", "A").length], [1280, 1, 0]);
});

test("the fullest packets of ours fit an Ethernet frame", () => {
  const subnets = Array.from({ length: 20 }, (_, i) => [
    { address: `192.168.100.${100 + i}`, prefix: 24 },
    { address: `${i < 18 ? "2001:db8:1234:5678" : "fe80:"}:9abc:def0:1234:5${100 + i}`, prefix: 64 },
  ]).flat();
  const facts = { name: "é".repeat(32), service: "s".repeat(62) };
  const bench = advertiserOnBench(1, [{ name: "eth0", subnets }], facts);
  bench.machine.setPairing(true, 0);
  const sent = bench.advance(3000);
  assert.equal(typesOf(sent.at(-1)?.message.packet.answers).match(/\bA\b/g)?.length, 8);
  const ipv6 = sent
    .at(-1)
    ?.message.packet.answers?.flatMap(({ type, data }) => (type === "AAAA" ? [String(data)] : []));
  assert.equal(ipv6?.length, 4);
  assert.deepEqual(
    ipv6?.map((address) => address.slice(0, 4)),
    ["fe80", "fe80", "2001", "2001"],
    "link-local ones are not crowded out",
  );
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
