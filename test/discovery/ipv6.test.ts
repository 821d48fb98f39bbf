import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import type { Host } from "#discovery/browser.js";
import { LocalDiscovery } from "#discovery/localDiscovery.js";
import type { LocalInterface } from "#discovery/localInterface.js";
import type { DnsPacket, DnsRecord } from "#discovery/records.js";
import { Twins } from "#discovery/twins.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { VirtualClock } from "../simulation/virtualClock.js";
import { advertiserOnBench, announcedOnBench, answersOf, ask, hear, NEIGHBOUR, typesOf } from "./bench.js";
import { Segment, Station } from "./segment.js";

const DUAL: LocalInterface = {
  name: "eth0",
  subnets: [
    { address: "10.0.0.1", prefix: 24 },
    { address: "fd00::1", prefix: 64 },
    { address: "fe80::1", prefix: 64 },
  ],
};
const ONLY_IPV6: LocalInterface = { name: "eth0", subnets: DUAL.subnets.slice(1) };

function nsecOf(records: readonly DnsRecord[], host: string): unknown {
  const { data } = records.find(({ name, type }) => type === "NSEC" && name === host) ?? {};
  return (data as { readonly rrtypes: unknown } | undefined)?.rrtypes;
}

test("every address is announced, and NSEC names the types that there are", () => {
  for (const [local, addresses, types] of [
    [DUAL, ["A 10.0.0.1", "AAAA fe80::1", "AAAA fd00::1"], ["A", "AAAA"]],
    [ONLY_IPV6, ["AAAA fe80::1", "AAAA fd00::1"], ["AAAA"]],
    [{ ...DUAL, subnets: DUAL.subnets.slice(0, 1) }, ["A 10.0.0.1"], ["A"]],
  ] as const) {
    const bench = advertiserOnBench(1, [local]);
    const sent = bench.advance(1000);
    const probe = sent.find(({ message }) => message.kind === "query")?.message.packet.authorities ?? [];
    const answers = answersOf(sent);
    for (const records of [probe, answers]) {
      const ofHost = records.filter(({ type }) => type === "A" || type === "AAAA");
      assert.deepEqual(
        ofHost.map(({ type, data }) => `${type} ${data}`),
        addresses,
      );
    }
    assert.deepEqual(nsecOf(answers, bench.machine.labels.host), types);
  }
});

test("a question for one family brings the other along, and NSEC where there is none", () => {
  for (const [local, asked, answers, additionals] of [
    [DUAL, "A", "A", "AAAA AAAA NSEC"],
    [DUAL, "AAAA", "AAAA AAAA", "A NSEC"],
    [ONLY_IPV6, "A", "NSEC", ""],
    [ONLY_IPV6, "AAAA", "AAAA AAAA", "NSEC"],
  ] as const) {
    const bench = announcedOnBench(1, [local]);
    const before = bench.sent.length;
    ask(bench, { questions: [{ name: bench.machine.labels.host, type: asked }] });
    const [reply] = bench.sent.slice(before);
    assert.equal(typesOf(reply?.message.packet.answers), answers, asked);
    assert.equal(typesOf(reply?.message.packet.additionals), additionals, asked);
  }
});

test("an address of ours that the asker knows is not told again, in any form of its text", () => {
  const bench = announcedOnBench(1, [ONLY_IPV6]);
  const name = bench.machine.labels.host;
  const known = ["FE80:0:0::1", "fd00:0::0:1"].map((data) => ({ name, type: "AAAA", ttl: 120, data }));
  const before = bench.sent.length;
  ask(bench, { questions: [{ name, type: "AAAA" }], answers: known });
  assert.equal(bench.sent.length, before);
  ask(bench, { questions: [{ name, type: "AAAA" }], answers: known.slice(1) });
  assert.deepEqual(
    answersOf(bench.sent.slice(before)).map(({ data }) => data),
    ["fe80::1"],
  );
});

test("goodbye takes every address back", () => {
  const bench = announcedOnBench(1, [DUAL]);
  const before = bench.sent.length;
  bench.machine.close();
  bench.drain();
  const gone = answersOf(bench.sent.slice(before));
  assert.ok(gone.every(({ ttl }) => ttl === 0));
  assert.equal(typesOf(gone).match(/\bAAAA\b/g)?.length, 2);
});

test("somebody else's IPv6 address under our name is a conflict; ours is none, whoever repeats it", () => {
  const bench = announcedOnBench(1, [DUAL]);
  const { host } = bench.machine.labels;
  const answers = (data: string): DnsPacket => ({
    answers: [{ name: host, type: "AAAA", ttl: 120, flush: true, data }],
  });
  hear(bench, answers("FD00:0::1"));
  assert.equal(bench.machine.labels.host, host);
  hear(bench, answers("fd00::2"));
  assert.notEqual(bench.machine.labels.host, host);
});

test("two probe for one name: the larger IPv6 address wins", () => {
  for (const [theirs, keeps] of [
    ["fd00::1", true],
    ["fe80::2", false],
  ] as const) {
    const bench = advertiserOnBench(1, [{ name: "eth0", subnets: [{ address: "fe80::1", prefix: 64 }] }]);
    const [probe] = bench.advance(260);
    const ours = probe?.message.packet.authorities ?? [];
    const authorities = ours.map((record) => (record.type === "AAAA" ? { ...record, data: theirs } : record));
    ask(bench, { questions: probe?.message.packet.questions ?? [], authorities });
    const quiet = bench.advance(700).length === 0;
    assert.equal(quiet, !keeps, theirs);
  }
});

test("the second copy of a question, on the other family, is not heard", () => {
  const question = { questions: [{ name: "a.local", type: "A" }] };
  const ipv6 = { ...NEIGHBOUR, address: "fe80::2%eth0" };
  const story = (...heard: readonly (readonly [DnsPacket, typeof NEIGHBOUR, number])[]): boolean[] => {
    const twins = new Twins();
    return heard.map(([packet, origin, at]) => twins.isTwin(packet, origin, at));
  };
  assert.deepEqual(story([question, NEIGHBOUR, 0], [question, ipv6, 199]), [false, true]);
  assert.deepEqual(story([question, NEIGHBOUR, 0], [question, ipv6, 200]), [false, false]);
  assert.deepEqual(story([question, ipv6, 0], [question, NEIGHBOUR, 1]), [false, true]);
  assert.deepEqual(story([question, NEIGHBOUR, 0], [question, NEIGHBOUR, 1]), [false, false], "another host's");
  assert.deepEqual(story([question, NEIGHBOUR, 0], [question, { ...ipv6, interface: "eth1" }, 1]), [false, false]);
  assert.deepEqual(story([question, { ...NEIGHBOUR, port: 9 }, 0], [question, { ...ipv6, port: 9 }, 1]), [
    false,
    false,
  ]);
  const other = { questions: [{ name: "a.local", type: "AAAA" }] };
  assert.deepEqual(story([question, NEIGHBOUR, 0], [other, ipv6, 1]), [false, false]);
});

/** Machines on one link; each sees and announces itself. */
class Link {
  readonly clock = new VirtualClock();
  readonly lan: Segment;
  readonly #seed: number;

  constructor(seed: number, loss = 0) {
    this.#seed = seed;
    this.lan = new Segment(this.clock, seed, { loss, duplicate: loss, jitterMs: 5 });
  }

  machine(number: number, addresses: readonly string[]): { station: Station; discovery: LocalDiscovery } {
    const station = new Station();
    station.plug("eth0", addresses, this.lan);
    const random = new SeededRandom(this.#seed * 1000 + number).bytes;
    return { station, discovery: new LocalDiscovery({ clock: this.clock, random, crypto: nativeCrypto }, station) };
  }

  advertise(discovery: LocalDiscovery, port: number): { close(): Promise<void> } {
    return discovery.advertise({ port, irk: new Uint8Array(16), name: "PC" });
  }

  watch(discovery: LocalDiscovery): { found: Map<string, Host>; events: string[] } {
    const found = new Map<string, Host>();
    const events: string[] = [];
    const put = (event: string) => (host: Host) => {
      events.push(`${event} ${host.addresses}`);
      found.set(host.instance, host);
    };
    const onLost = (instance: string): void => {
      events.push("lost");
      found.delete(instance);
    };
    discovery.browse({ onFound: put("found"), onUpdated: put("updated"), onLost });
    return { found, events };
  }

  run(seconds: number): void {
    this.clock.runUntil(() => false, seconds * 1000);
  }
}

test("a link with IPv6 alone: found at link-local addresses with the zone here, and lost", async () => {
  await withSeeds(10, (seed) => {
    const link = new Link(seed, 0.1);
    const pc = link.machine(1, ["fe80::1"]).discovery;
    const advertisement = link.advertise(pc, 4760);
    const { found } = link.watch(link.machine(2, ["fe80::2"]).discovery);
    link.run(60);
    assert.deepEqual(
      [...found.values()].map(({ addresses }) => addresses),
      [["fe80::1%eth0"]],
    );
    void advertisement.close();
    link.run(130);
    assert.equal(found.size, 0);
  });
});

test("with both families one event, one answer each, IPv4 first; neighbours with one family see what they can", () => {
  const link = new Link(1);
  const pc = link.machine(1, ["10.0.0.1", "fd00::1", "fe80::1"]).discovery;
  link.advertise(pc, 4760);
  link.run(20);
  const before = link.lan.heard.length;
  const dual = link.watch(link.machine(2, ["fe80::2", "10.0.0.2"]).discovery);
  link.run(0.9);
  assert.deepEqual(dual.events, ["found 10.0.0.1,fe80::1%eth0,fd00::1"]);
  const packets = link.lan.heard.slice(before).map(({ packet }) => packet.type);
  assert.deepEqual(packets, ["query", "query", "response", "response"], "a copy for each family");
  for (const own of ["10.0.0.3", "fe80::3"]) {
    const { events } = link.watch(link.machine(3, [own]).discovery);
    link.run(5);
    assert.deepEqual(events, [
      `found ${own === "fe80::3" ? "fe80::1%eth0,10.0.0.1,fd00::1" : "10.0.0.1,fd00::1,fe80::1%eth0"}`,
    ]);
  }
});

test("what the second copy would cost: a question that only differs in a word is answered again", () => {
  const answersTo = (...second: readonly { name: string; type: string }[]): number => {
    const link = new Link(1);
    link.advertise(link.machine(1, ["10.0.0.1", "fe80::1"]).discovery, 4760);
    link.run(20);
    const { packet } = link.lan.heard.find(({ packet: each }) => each.type === "response") ?? {};
    const name = packet?.answers?.find(({ type }) => type === "SRV")?.name ?? "";
    const before = link.lan.heard.length;
    const { station } = link.machine(2, ["10.0.0.2", "fe80::2"]);
    const ask = (address: string, ...more: readonly { name: string; type: string }[]): void => {
      const packet = { questions: [{ name, type: "SRV" }, ...more] };
      void station.send({ kind: "query", interface: "eth0", packet, to: { address, port: 5353 } });
    };
    ask("10.0.0.1");
    ask("fe80::1", ...second);
    link.run(5);
    return link.lan.heard.slice(before).filter(({ packet: { type } }) => type === "response").length;
  };
  assert.deepEqual([answersTo(), answersTo({ name: "other.local", type: "A" })], [2, 4]);
});

test("IPv4 goes, the device is found by IPv6 alone, and IPv4 comes back", () => {
  const link = new Link(3);
  const { station, discovery } = link.machine(1, ["10.0.0.1", "fe80::1"]);
  link.advertise(discovery, 4760);
  const { found } = link.watch(link.machine(2, ["10.0.0.2", "fe80::2"]).discovery);
  const seen = (): (readonly string[])[] => [...found.values()].map(({ addresses }) => addresses);
  link.run(10);
  assert.deepEqual(seen(), [["10.0.0.1", "fe80::1%eth0"]]);
  station.plug("eth0", ["fe80::1"], link.lan);
  link.run(10);
  assert.deepEqual(seen(), [["fe80::1%eth0"]]);
  station.plug("eth0", ["10.0.0.1", "fe80::1"], link.lan);
  link.run(10);
  assert.deepEqual(seen(), [["10.0.0.1", "fe80::1%eth0"]]);
});
