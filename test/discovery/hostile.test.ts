import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import { Browser } from "#discovery/browser.js";
import { LocalDiscovery } from "#discovery/localDiscovery.js";
import { isPlausible } from "#discovery/packetFilter.js";
import { META, type OutgoingPacket, SERVICE } from "#discovery/records.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { VirtualClock } from "../simulation/virtualClock.js";
import { advertiserOnBench, ETH, IRK, NEIGHBOUR } from "./bench.js";
import { decode, encode, Segment, Station } from "./segment.js";

const ROUNDS = 50_000;
/** Flags and the low bytes of the four counts. */
const HEADER = [2, 3, 5, 7, 9, 11];
const MAX_CACHED = 256 + 256 * 8 + 1024 * 8;

/** Packets that mean something: what a device says, what a browser asks, about real labels. */
function corpus(labels: { readonly instance: string; readonly host: string }): OutgoingPacket[] {
  const bench = advertiserOnBench(11);
  bench.advance(2000);
  bench.machine.setPairing(true, bench.now);
  bench.advance(2000);
  const said = bench.sent.map(({ message }) => message);
  const browser = new Browser(new SeededRandom(3).bytes);
  browser.setInterfaces([ETH], 0);
  browser.setActive(true, 0);
  for (const { kind, packet } of said) if (kind === "response") browser.receive(packet, NEIGHBOUR, 0);
  browser.tick(200);
  for (let message = browser.nextMessage(); message; message = browser.nextMessage()) said.push(message);
  const questions = [labels.instance, labels.host, SERVICE, META].map((name) => ({ name, type: "ANY" }));
  const claims = [{ name: labels.host, type: "A", ttl: 120, data: "10.0.0.66" }];
  said.push({ kind: "query", packet: { questions, authorities: claims }, interface: "eth0" });
  said.push({ kind: "query", packet: { questions, flag_tc: true }, interface: "eth0" });
  return said;
}

/** Flips, cuts, grows, joins: whatever a broken or hostile neighbour could send. */
function mutate(random: SeededRandom, seeds: readonly Uint8Array[]): Uint8Array {
  const base = seeds[random.integer(seeds.length)] ?? new Uint8Array();
  if (random.chance(0.05)) return random.bytes(random.integer(600));
  let bytes = base.slice();
  for (let i = random.integer(6); i >= 0; i--) {
    const at = random.integer(bytes.length);
    const way = random.integer(5);
    if (way === 0) bytes[at] = random.integer(256);
    else if (way === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(8));
    else if (way === 2 && random.chance(0.2)) bytes = bytes.slice(0, at);
    else if (way === 3) bytes[HEADER[random.integer(6)] ?? 0] = random.integer(4);
    else bytes.set(base.subarray(0, Math.max(0, Math.min(random.integer(40), bytes.length - at))), at);
    if (bytes.length === 0) break;
  }
  return bytes;
}

/** The codec refuses with a plain error; our own code must not throw at all. */
function decoded(bytes: Uint8Array): ReturnType<typeof decode> | undefined {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

test(`${ROUNDS} mutated packets: no crash, bounded memory, few words in return`, () => {
  const random = new SeededRandom(12);
  const bench = advertiserOnBench(13);
  bench.advance(2000);
  const browser = new Browser(random.bytes);
  browser.setInterfaces([ETH], 0);
  browser.setActive(true, 0);
  const seeds = corpus(bench.machine.labels).map(encode);
  let read = 0;
  let asked = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const bytes = mutate(random, seeds);
    if (i % 8 === 0) bench.advance(40);
    bench.sent.length = 0;
    const packet = isPlausible(bytes) ? decoded(bytes) : undefined;
    if (packet) {
      const isResponse = packet.type === "response";
      const origin = { ...NEIGHBOUR, port: random.chance(0.1) ? random.integer(65_536) : 5353 };
      read++;
      bench.machine.receive(packet, origin, isResponse, bench.now);
      bench.drain();
      if (isResponse) browser.receive(packet, NEIGHBOUR, bench.now);
    }
    for (const { message } of bench.sent) encode(message);
    if (i % 8 === 0 && browser.deadline <= bench.now) browser.tick(bench.now);
    for (let message = browser.nextMessage(); message; message = browser.nextMessage())
      asked += encode(message).length > 0 ? 1 : 0;
    for (let event = browser.nextEvent(); event; event = browser.nextEvent());
    if (i % 1000 === 0) assert.ok(browser.size <= MAX_CACHED && browser.hosts.length <= 256);
  }
  assert.ok(read > ROUNDS / 10, `${read} could be read`);
  assert.ok(asked < (ROUNDS * 5) / 250 + 500, `${asked} questions`);
});

test("hostile names and invented devices by the thousand leave a bounded cache", () => {
  const random = new SeededRandom(14);
  const browser = new Browser(random.bytes);
  browser.setInterfaces([ETH], 0);
  let now = 0;
  for (let i = 0; i < 1000; i++) {
    const instance = `${"\ufffd".repeat(random.integer(30))}${i}.${SERVICE}`;
    const target = `h${i}.local`;
    browser.receive(
      {
        answers: [
          { name: SERVICE, type: "PTR", ttl: 4500, data: instance },
          ...[1, 2, 3, 4, 5, 6].map((port) => ({ name: instance, type: "SRV", ttl: 4500, data: { port, target } })),
          ...[1, 2, 3, 4, 5, 6].map((n) => ({ name: instance, type: "TXT", ttl: 4500, data: [Buffer.alloc(200, n)] })),
          ...Array.from({ length: 40 }, (_, n) => ({ name: target, type: "A", ttl: 4500, data: `10.1.${n}.1` })),
        ],
      },
      NEIGHBOUR,
      now++,
    );
    while (browser.nextEvent());
  }
  assert.ok(browser.size <= MAX_CACHED, String(browser.size));
});

test("whatever is sent to a discovery that advertises and browses, it goes on working", () => {
  const clock = new VirtualClock();
  const lan = new Segment(clock, 15);
  const make = (address: string, seed: number): LocalDiscovery => {
    const station = new Station();
    station.plug("eth0", address, lan);
    return new LocalDiscovery({ clock, random: new SeededRandom(seed).bytes, crypto: nativeCrypto }, station);
  };
  const pc = make("10.0.0.1", 1);
  pc.advertise({ port: 4760, irk: IRK, name: "PC" });
  const found = new Set<number>();
  const laptop = make("10.0.0.2", 2);
  laptop.browse({ onFound: ({ port }) => found.add(port), onLost: () => {} });
  const random = new SeededRandom(16);
  const seeds = corpus({ instance: `hf-1.${SERVICE}`, host: "hf-2.local" }).map(encode);
  for (let i = 0; i < 3000; i++) {
    const bytes = mutate(random, seeds);
    if (!isPlausible(bytes) || !decoded(bytes)) continue;
    lan.send(bytes, { address: "10.0.0.66", port: random.chance(0.9) ? 5353 : random.integer(65_536) });
    clock.runUntil(() => false, 20);
  }
  found.clear();
  clock.runUntil(() => false, 20_000);
  laptop.browse({ onFound: ({ port }) => found.add(port) });
  clock.runUntil(() => false, 5000);
  assert.ok(found.has(4760));
});

test("a header that claims more than a packet can hold is stopped before the codec", () => {
  const of = (length: number, ...counts: number[]): Uint8Array => {
    const bytes = Buffer.alloc(length);
    for (const [i, count] of counts.entries()) bytes.writeUInt16BE(count, 4 + 2 * i);
    return bytes;
  };
  assert.equal(isPlausible(of(12)), true);
  assert.equal(isPlausible(of(11)), false);
  assert.equal(isPlausible(of(12 + 5 * 256, 256)), true);
  assert.equal(isPlausible(of(9000, 200, 57)), false);
  assert.equal(isPlausible(of(12 + 49, 3, 4, 2, 1)), false);
  assert.equal(isPlausible(of(12, 65_535, 65_535, 65_535, 65_535)), false);
  for (const message of corpus({ instance: `hf-1.${SERVICE}`, host: "hf-2.local" }))
    assert.ok(isPlausible(encode(message)));
});
