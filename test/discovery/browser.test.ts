import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, type BrowserEvent } from "#discovery/browser.js";
import type { LocalInterface } from "#discovery/localInterface.js";
import { type DnsPacket, type DnsRecord, SERVICE } from "#discovery/records.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { Bench, ETH, NEIGHBOUR, type Sent, WLAN } from "./bench.js";

const INSTANCE = `hf-a.${SERVICE}`;
const HOST = "hf-h.local";

class BrowserBench extends Bench<Browser> {
  readonly events: BrowserEvent[] = [];

  constructor(interfaces: readonly LocalInterface[] = [ETH], active = true) {
    super(new Browser(new SeededRandom(1).bytes));
    this.machine.setInterfaces(interfaces, 0);
    if (active) this.machine.setActive(true, 0);
  }

  hear(records: readonly DnsRecord[], origin: Partial<typeof NEIGHBOUR> = {}): void {
    this.machine.receive({ answers: records }, { ...NEIGHBOUR, ...origin }, this.now);
    this.drain();
  }

  override drain(): void {
    super.drain();
    for (let event = this.machine.nextEvent(); event; event = this.machine.nextEvent()) this.events?.push(event);
  }

  /** Words of what happened since the last call. */
  news(): string[] {
    return this.events
      .splice(0)
      .map((event) => (event.type === "lost" ? "lost" : `${event.type} ${event.host.addresses}`));
  }
}

function device(
  over: { ttl?: number; address?: string; name?: string; id?: string; flush?: boolean } = {},
): DnsRecord[] {
  const { ttl = 120, address = "10.0.0.2", id = "a", flush = true } = over;
  const [instance, host] = [`hf-${id}.${SERVICE}`, id === "a" ? HOST : `hf-h${id}.local`];
  const txt = over.name ? ["v=1", `n=${over.name}`, "p=1"] : ["v=1"];
  return [
    { name: SERVICE, type: "PTR", ttl, data: instance },
    { name: instance, type: "SRV", ttl, flush, data: { port: 4760, target: host } },
    { name: instance, type: "TXT", ttl, flush, data: txt.map((each) => Buffer.from(each)) },
    { name: host, type: "A", ttl, flush, data: address },
  ];
}

function questions(sent: readonly Sent[]): string[] {
  return sent.flatMap(({ message }) => (message.packet.questions ?? []).map(({ type, name }) => `${type} ${name}`));
}

function pointerQueries(sent: readonly Sent[]): DnsPacket[] {
  return sent
    .map(({ message }) => message.packet)
    .filter(({ questions }) => questions?.some(({ type }) => type === "PTR"));
}

test("a device is found once all of it is known, in any order, and is lost a second after its goodbye", () => {
  for (const order of [
    [0, 1, 2, 3],
    [3, 2, 1, 0],
    [2, 0, 3, 1],
  ]) {
    const bench = new BrowserBench();
    bench.hear(order.map((i) => device()[i] as DnsRecord));
    assert.deepEqual(bench.news(), ["found 10.0.0.2"]);
    bench.hear(device().map((record) => ({ ...record, name: record.name.toUpperCase() })));
    assert.deepEqual(bench.news(), [], "nothing new");
    bench.advance(1100);
    bench.hear(device({ name: "Ana" }));
    assert.deepEqual(bench.news(), ["updated 10.0.0.2"]);
    assert.equal(bench.machine.hosts[0]?.name, "Ana");
    bench.hear(device({ ttl: 0, name: "Ana" }));
    bench.advance(999);
    assert.deepEqual(bench.news(), []);
    bench.advance(2);
    assert.deepEqual(bench.news(), ["lost"]);
    assert.equal(bench.machine.size, 0);
  }
});

test("questions come at once, then ever more seldom", () => {
  const bench = new BrowserBench();
  const times = bench.advance(10 * 3_600_000).map(({ at }) => at);
  assert.ok((times[0] ?? 0) >= 20 && (times[0] ?? 0) <= 120);
  const gaps = times.slice(1).map((at, i) => Math.round((at - (times[i] ?? 0)) / 1000));
  assert.deepEqual(gaps.slice(0, 13), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600]);
  bench.machine.setActive(false, bench.now);
  assert.equal(bench.advance(3_600_000).length, 0);
  bench.machine.setActive(true, bench.now);
  bench.machine.setActive(true, bench.now);
  assert.equal(bench.advance(900).length, 1);
});

test("what is known is not asked for again, unless half its life is over or a part is missing", () => {
  const bench = new BrowserBench();
  bench.hear(device());
  bench.hear(device({ id: "half" }).slice(0, 1));
  const [query] = pointerQueries(bench.advance(500));
  assert.deepEqual(
    query?.answers?.map(({ data }) => data),
    [INSTANCE],
  );
  assert.ok((query?.answers?.[0]?.ttl ?? 0) >= 119);
  assert.equal(query?.answers?.[0]?.flush, undefined);
  bench.advance(65_000);
  const later = pointerQueries(bench.advance(70_000));
  assert.ok(later.length > 0 && later.every(({ answers }) => answers?.length === 0));
});

test("records are asked for again at 80, 85, 90 and 95 % of their life, and their answers keep the device", () => {
  const bench = new BrowserBench();
  bench.hear(device());
  const asked = bench
    .advance(119_000)
    .filter((sent) => questions([sent]).includes(`SRV ${INSTANCE}`))
    .map(({ at }) => at / 1200);
  assert.equal(asked.length, 4);
  for (const [i, part] of [80, 85, 90, 95].entries())
    assert.ok((asked[i] ?? 0) >= part && (asked[i] ?? 0) <= part + 2.01, `${asked}`);
  bench.news();
  bench.advance(2000);
  assert.deepEqual(bench.news(), ["lost"]);

  const kept = new BrowserBench();
  kept.hear(device());
  for (let i = 0; i < 10; i++) {
    kept.advance(100_000);
    kept.hear(device());
  }
  assert.deepEqual(kept.news(), ["found 10.0.0.2"]);
});

test("an idle browser asks nothing, but listens", () => {
  const bench = new BrowserBench([ETH], false);
  bench.hear(device());
  assert.equal(bench.advance(119_000).length, 0);
  assert.equal(bench.machine.hosts.length, 1);
  bench.advance(2000);
  assert.equal(bench.machine.hosts.length, 0);
});

test("a missing record is asked for, six times, ever more seldom", () => {
  const bench = new BrowserBench();
  bench.hear([{ name: SERVICE, type: "PTR", ttl: 4500, data: INSTANCE }]);
  const asked = bench.advance(600_000).filter((sent) => questions([sent]).includes(`TXT ${INSTANCE}`));
  assert.deepEqual(
    asked.map(({ at }) => at),
    [100, 1100, 3100, 7100, 15_100, 31_100],
  );
  const other = new BrowserBench();
  other.hear(device().slice(0, 3));
  assert.ok(questions(other.advance(200)).includes(`A ${HOST}`));
});

test("the flush bit replaces what is older than a second, on its interface only", () => {
  const bench = new BrowserBench([ETH, WLAN]);
  const onWlan = { interface: "wlan0", address: "10.0.9.2" };
  bench.hear(device());
  bench.hear(device({ address: "10.0.0.3" }));
  assert.deepEqual(bench.news(), ["found 10.0.0.2", "updated 10.0.0.3,10.0.0.2"], "within a second both stay");
  bench.advance(1100);
  bench.hear(device({ address: "10.0.9.2" }), onWlan);
  assert.deepEqual(bench.news(), ["updated 10.0.0.3,10.0.0.2,10.0.9.2"]);
  bench.hear(device({ address: "10.0.0.4" }));
  assert.deepEqual(bench.news(), ["updated 10.0.0.4,10.0.9.2"]);
  bench.hear(device({ address: "10.0.0.5", flush: false }));
  assert.deepEqual(bench.news(), ["updated 10.0.0.5,10.0.0.4,10.0.9.2"]);
  bench.advance(1100);
  bench.hear(device({ ttl: 0, address: "10.0.0.5" }));
  bench.advance(1100);
  assert.deepEqual(bench.news(), ["updated 10.0.9.2"], "still known on the other network");
  bench.machine.setInterfaces([ETH], bench.now);
  bench.drain();
  assert.deepEqual(bench.news(), ["lost"]);
});

test("addresses on a link of ours come first; those that no host has are ignored", () => {
  const bench = new BrowserBench();
  const hostile = ["0.0.0.1", "224.0.0.1", "255.255.255.255", "127.0.0.1", "10.0.0.300", "010.0.0.1", "x"];
  bench.hear([
    ...device({ address: "192.168.7.7" }),
    ...device({ address: "10.0.0.2" }),
    ...hostile.flatMap((address) => device({ address })),
  ]);
  bench.hear(device({ address: "172.16.0.1" }));
  assert.deepEqual(bench.machine.hosts[0]?.addresses, ["10.0.0.2", "172.16.0.1", "192.168.7.7"]);
  const local = new BrowserBench([{ name: "lo", subnets: [{ address: "127.0.0.1", prefix: 8 }] }]);
  local.hear(device({ address: "127.0.0.1" }), { interface: "lo", address: "127.0.0.1" });
  assert.deepEqual(local.news(), ["found 127.0.0.1"]);
});

test("256 devices are kept; of one more the one heard least lately goes", () => {
  const bench = new BrowserBench([ETH], false);
  for (let i = 0; i < 256; i++) bench.hear(device({ id: `n${i}` }));
  bench.hear(device({ id: "n0" }));
  assert.equal(bench.machine.hosts.length, 256);
  assert.equal(bench.events.filter(({ type }) => type === "lost").length, 0);
  bench.hear(device({ id: "n256" }));
  assert.equal(bench.machine.hosts.length, 256);
  const lost = bench.events.filter((event) => event.type === "lost");
  assert.deepEqual(
    lost.map((event) => "instance" in event && event.instance),
    [`hf-n1.${SERVICE}`],
  );
});

test("a device has at most eight addresses, a TXT record 512 bytes, a life 75 minutes", () => {
  const bench = new BrowserBench([ETH], false);
  for (let i = 1; i <= 9; i++) bench.hear(device({ address: `10.0.0.${i}`, flush: false }));
  assert.equal(bench.machine.hosts[0]?.addresses.length, 8);
  assert.ok(!bench.machine.hosts[0]?.addresses.includes("10.0.0.1"));
  for (const [size, found] of [
    [512, true],
    [513, false],
  ] as const) {
    const other = new BrowserBench([ETH], false);
    const filler = [Buffer.from("v=1"), ...[250, 200, size - 457].map((length) => Buffer.alloc(length, 97))];
    const records = device().map((record) => (record.type === "TXT" ? { ...record, data: filler } : record));
    other.hear(records);
    assert.equal(other.machine.hosts.length === 1, found, String(size));
  }
  const long = new BrowserBench([ETH], false);
  long.hear(device({ ttl: 4_000_000_000 }));
  long.advance(4_499_000);
  assert.equal(long.machine.hosts.length, 1);
  long.advance(2000);
  assert.equal(long.machine.hosts.length, 0);
});

test("records that hang on nothing, of other classes, or malformed, leave no trace", () => {
  const bench = new BrowserBench();
  const label = "x".repeat(64);
  bench.hear([
    ...device().slice(1),
    { name: SERVICE, type: "PTR", ttl: 9, data: "printer._http._tcp.local" },
    { name: SERVICE, type: "PTR", ttl: 9, data: `${label}.${SERVICE}` },
    { name: SERVICE, type: "PTR", ttl: 9, data: 7 },
    { name: SERVICE, type: "PTR", ttl: 9, class: "CH", data: INSTANCE },
    { name: SERVICE, type: "PTR", ttl: 0, data: INSTANCE },
    { name: "..", type: "A", ttl: 9, data: "10.0.0.9" },
  ]);
  bench.hear(device(), { interface: "gone0" });
  assert.equal(bench.machine.size, 0);
  const odd = device().map((record) =>
    record.type === "SRV" ? { ...record, data: { port: 0, target: HOST } } : record,
  );
  bench.hear(odd);
  assert.deepEqual(bench.news(), []);
});

test("a browser of one application takes its pointer only", () => {
  const type = `_notes._sub.${SERVICE}`;
  const browser = new Browser(new SeededRandom(1).bytes, type);
  browser.setInterfaces([ETH], 0);
  browser.receive({ answers: device() }, NEIGHBOUR, 0);
  assert.equal(browser.hosts.length, 0);
  browser.receive({ answers: [{ name: type, type: "PTR", ttl: 9, data: INSTANCE }, ...device()] }, NEIGHBOUR, 0);
  assert.equal(browser.hosts.length, 1);
});
