import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeCrypto } from "#crypto/native.node.js";
import { compareClaims, recordKey } from "#discovery/rdata.js";
import { type DnsRecord, META, SERVICE, subtypeOf } from "#discovery/records.js";
import { tagMatches } from "#discovery/tag.js";
import { decodeTxt, encodeTxt } from "#discovery/txt.js";
import {
  advertiserOnBench,
  announcedOnBench,
  answersOf,
  ask,
  ETH,
  hear,
  IRK,
  NEIGHBOUR,
  typesOf,
  WLAN,
} from "./bench.js";

const PTR = { name: SERVICE, type: "PTR" };
const SUBTYPE = subtypeOf("notes") ?? "";

test("a device probes three times 250 ms apart, then announces after 0, 1, 3 and 7 seconds", () => {
  const bench = advertiserOnBench();
  const sent = bench.advance(20_000);
  assert.deepEqual(
    sent.map(({ message }) => message.kind),
    ["query", "query", "query", "response", "response", "response", "response"],
  );
  const times = sent.map(({ at }) => at);
  assert.ok((times[0] ?? 999) <= 250);
  assert.deepEqual(
    times.slice(1).map((at, i) => Math.round(at - (times[i] ?? 0))),
    [250, 250, 250, 1000, 2000, 4000],
  );
  const [probe, , , announcement] = sent.map(({ message }) => message.packet);
  const { instance, host } = bench.machine.labels;
  assert.deepEqual(
    probe?.questions?.map(({ name, type }) => `${name} ${type}`),
    [`${instance} ANY`, `${host} ANY`],
  );
  assert.equal(typesOf(probe?.authorities), "SRV TXT A");
  assert.ok(probe?.authorities?.every(({ flush }) => flush === undefined));
  for (const { type, flush, ttl, name } of announcement?.answers ?? []) {
    assert.equal(flush === true, type !== "PTR", type);
    assert.equal(ttl, name === META ? 4500 : 120);
  }
  assert.equal(typesOf(announcement?.answers), "PTR SRV TXT A NSEC NSEC PTR");
});

test("claims are ordered by type, then by data, then by length", () => {
  const a = (data: string): DnsRecord => ({ name: "x.local", type: "A", data });
  const txt = (...data: string[]): DnsRecord => ({
    name: "x.local",
    type: "TXT",
    data: data.map((s) => Buffer.from(s)),
  });
  const srv = (port: number): DnsRecord => ({ name: "x.local", type: "SRV", data: { port, target: "y.local" } });
  for (const [ours, theirs, sign] of [
    [[a("169.254.99.200")], [a("169.254.200.50")], -1],
    [[a("10.0.0.1")], [a("10.0.0.1")], 0],
    [[a("10.0.0.9")], [txt("a")], -1],
    [[srv(1)], [txt("zzzz")], 1],
    [[a("10.0.0.1")], [a("10.0.0.1"), txt("a")], -1],
    [[txt("b"), a("1.1.1.1")], [a("1.1.1.1"), txt("a")], 1],
    [[srv(300)], [srv(255)], 1],
    [[srv(1)], [{ name: "x.local", type: "UNKNOWN_999", data: {} }], -1],
  ] as const)
    assert.equal(Math.sign(compareClaims(ours, theirs)), sign, JSON.stringify([ours, theirs]));
});

test("of two that probe for one label at once the lesser claim waits a second and tries again", () => {
  for (const [port, waits] of [
    [4759, false],
    [4761, true],
  ] as const) {
    const bench = advertiserOnBench();
    bench.advance(260);
    const { instance } = bench.machine.labels;
    const claim = { name: instance, type: "SRV", data: { port, target: "other.local" } };
    // Without the TXT record: compared is the smallest type first, and TXT is smaller than SRV.
    const txt = bench.sent[0]?.message.packet.authorities?.find(({ type }) => type === "TXT");
    ask(bench, { questions: [{ name: instance, type: "ANY" }], authorities: [claim, ...(txt ? [txt] : [])] });
    const from = bench.now;
    const sent = bench.advance(5000);
    if (waits) assert.ok((sent[0]?.at ?? 0) >= from + 1000);
    assert.equal(sent.filter(({ message }) => message.kind === "query").length, waits ? 3 : 2);
    assert.equal(bench.machine.labels.instance, instance);
  }
});

test("our own probe, heard on a second interface of the same link, is no rival", () => {
  const bench = advertiserOnBench(2, [ETH, WLAN]);
  const [first] = bench.advance(260);
  const echo = first?.message.packet ?? {};
  ask(bench, echo, { interface: "wlan0", address: "10.0.9.1", port: 5353 });
  ask(bench, echo, { interface: "eth0", address: "10.0.9.1", port: 5353 });
  bench.advance(800);
  assert.ok(answersOf(bench.sent).length > 0);
});

test("who else uses an instance or host label takes it; what we said ourselves comes back unharmed", () => {
  for (const phase of [0, 300, 5000])
    for (const which of ["instance", "host"] as const) {
      const bench = advertiserOnBench(3);
      bench.advance(phase);
      const before = bench.machine.labels;
      hear(bench, { answers: [{ name: before[which], type: "A", ttl: 120, flush: true, data: "10.0.0.66" }] });
      assert.notEqual(bench.machine.labels.instance, before.instance);
      assert.notEqual(bench.machine.labels.host, before.host);
      bench.advance(3000);
      assert.ok(answersOf(bench.sent).some(({ name, ttl }) => name === bench.machine.labels.instance && ttl === 120));
    }
  const bench = advertiserOnBench(4, [ETH, WLAN]);
  bench.advance(5000);
  bench.machine.setPairing(true, bench.now);
  bench.advance(50);
  const { labels } = bench.machine;
  for (const { message } of [...bench.sent]) if (message.kind === "response") hear(bench, message.packet);
  hear(bench, { answers: [{ name: labels.host, type: "A", ttl: 0, data: "10.0.0.66" }] });
  assert.deepEqual(bench.machine.labels, labels);
});

test("after fifteen conflicts in ten seconds the next try waits five seconds", () => {
  for (const [conflicts, least, most] of [
    [14, 0, 250],
    [15, 5000, 5000],
  ] as const) {
    const bench = advertiserOnBench(5);
    for (let i = 0; i < conflicts; i++)
      hear(bench, { answers: [{ name: bench.machine.labels.host, type: "A", ttl: 9, data: "10.0.0.66" }] });
    const from = bench.now;
    const wait = (bench.advance(20_000)[0]?.at ?? 0) - from;
    assert.ok(wait >= least && wait <= most, `${conflicts}: ${wait}`);
  }
});

test("unique records are answered at once, pointers after 20 to 120 ms, each at most once a second", () => {
  const bench = announcedOnBench();
  const { instance, host } = bench.machine.labels;
  ask(bench, { questions: [{ name: instance.toUpperCase(), type: "SRV" }] });
  const at = bench.now;
  assert.equal(bench.sent.at(-1)?.at, at);
  assert.equal(typesOf(bench.sent.at(-1)?.message.packet.answers), "SRV");
  assert.equal(typesOf(bench.sent.at(-1)?.message.packet.additionals), "A NSEC");

  const delays = new Set<number>();
  for (let i = 0; i < 50; i++) {
    bench.advance(2000);
    ask(bench, { questions: [PTR] });
    const from = bench.now;
    const [answer] = bench.advance(130);
    const delay = Math.round((answer?.at ?? Number.POSITIVE_INFINITY) - from);
    assert.ok(delay >= 20 && delay <= 120, String(delay));
    delays.add(delay);
    assert.equal(typesOf(answer?.message.packet.answers), "PTR");
    assert.equal(typesOf(answer?.message.packet.additionals), "SRV TXT A NSEC NSEC");
  }
  assert.ok(delays.size > 10);

  bench.advance(2000);
  for (let i = 0; i < 30; i++) {
    ask(bench, { questions: [{ name: host, type: "A" }] });
    ask(bench, { questions: [PTR] });
    bench.advance(100);
  }
  const flood = bench.sent.filter(({ at, message }) => at > bench.now - 3000 && message.kind === "response");
  for (const type of ["PTR", "A", "SRV"]) {
    const times = flood
      .filter(({ message: { packet } }) =>
        [...(packet.answers ?? []), ...(packet.additionals ?? [])].some((r) => r.type === type),
      )
      .map(({ at }) => at);
    assert.ok(
      times.length >= 2 && times.every((at, i) => i === 0 || at - (times[i - 1] ?? 0) >= 1000),
      `${type} ${times}`,
    );
  }
});

test("a known answer with half its life left is not told again", () => {
  for (const [ttl, answered] of [
    [60, false],
    [59, true],
  ] as const) {
    const bench = announcedOnBench();
    ask(bench, { questions: [PTR], answers: [{ ...PTR, ttl, data: bench.machine.labels.instance }] });
    assert.equal(bench.advance(1000).length > 0, answered);
  }
});

test("a truncated question waits for the known answers that follow from the same asker", () => {
  for (const [address, answered] of [
    [NEIGHBOUR.address, false],
    ["10.0.0.3", true],
  ] as const) {
    const bench = announcedOnBench();
    ask(bench, { questions: [PTR], flag_tc: true });
    assert.equal(bench.advance(390).length, 0);
    const known = { answers: [{ ...PTR, ttl: 100, data: bench.machine.labels.instance }] };
    ask(bench, known, { ...NEIGHBOUR, address });
    assert.equal(bench.advance(120).length > 0, answered);
  }
});

test("a shared answer that somebody else has just given is not repeated", () => {
  const bench = announcedOnBench();
  ask(bench, { questions: [{ name: META, type: "PTR" }] });
  hear(bench, { answers: [{ name: META, type: "PTR", ttl: 4500, data: SERVICE }] });
  assert.equal(bench.advance(1000).length, 0);
  ask(bench, { questions: [{ name: META, type: "PTR" }] });
  assert.deepEqual(
    answersOf(bench.advance(1000)).map(({ data }) => data),
    [SERVICE],
  );
});

test("who takes our record from others, or lets it die soon, is corrected", () => {
  for (const [ttl, corrected] of [
    [0, true],
    [59, true],
    [60, false],
  ] as const) {
    const bench = announcedOnBench();
    hear(bench, { answers: [{ ...PTR, ttl, data: bench.machine.labels.instance }] });
    bench.advance(1000);
    const given = answersOf(bench.sent.filter(({ at }) => at >= 10_000));
    assert.equal(
      given.some(({ type }) => type === "PTR"),
      corrected,
    );
  }
  const bench = announcedOnBench();
  for (let i = 0; i < 30; i++) {
    hear(bench, { answers: [{ ...PTR, ttl: 0, data: bench.machine.labels.instance }] });
    bench.advance(100);
  }
  assert.ok(bench.sent.filter(({ at }) => at >= 10_000).length <= 4, "once a second");
});

test("a name that cannot be shown or sent stays at home", () => {
  for (const name of ["x".repeat(300), "a\u202eb", ""]) {
    const bench = advertiserOnBench(1, [ETH], { name });
    bench.machine.setPairing(true, 0);
    const texts = answersOf(bench.advance(2000)).filter(({ type }) => type === "TXT");
    assert.ok(texts.length > 0);
    for (const { data } of texts)
      assert.deepEqual([decodeTxt(data)?.name, decodeTxt(data)?.pairing], [undefined, true]);
  }
});

test("what our names do not have is denied by NSEC; other names are not our business", () => {
  const bench = announcedOnBench();
  ask(bench, { questions: [{ name: bench.machine.labels.host, type: "AAAA" }] });
  const [denial] = answersOf(bench.sent.slice(-1));
  assert.deepEqual(denial?.data, { nextDomain: bench.machine.labels.host, rrtypes: ["A"] });
  const before = bench.sent.length;
  for (const question of [
    { name: "printer.local", type: "A" },
    { name: "_http._tcp.local", type: "PTR" },
    { ...PTR, class: "CH" },
    { name: SUBTYPE, type: "PTR" },
  ])
    ask(bench, { questions: [question] });
  bench.advance(5000);
  assert.equal(bench.sent.length, before);
});

test("a unicast answer goes to who asks for one, if everybody has heard it lately", () => {
  const bench = announcedOnBench();
  const question = { ...PTR, class: "UNKNOWN_32769" };
  ask(bench, { questions: [question] });
  const direct = bench.sent.at(-1)?.message;
  assert.deepEqual(direct?.to, { address: NEIGHBOUR.address, port: 5353 });
  bench.advance(40_000);
  ask(bench, { questions: [question] });
  const [later] = bench.advance(500);
  assert.equal(later?.message.to, undefined);
  assert.equal(typesOf(later?.message.packet.answers), "PTR");
});

test("a plain DNS client gets a plain answer at its address, ten of them a second at most", () => {
  const bench = announcedOnBench();
  const origin = { ...NEIGHBOUR, port: 40_000 };
  ask(bench, { id: 77, questions: [PTR] }, origin);
  const { to, packet } = bench.sent.at(-1)?.message ?? {};
  assert.deepEqual(to, { address: NEIGHBOUR.address, port: 40_000 });
  assert.equal(packet?.id, 77);
  assert.deepEqual(packet?.questions, [{ ...PTR, class: "IN" }]);
  for (const { ttl, flush } of [...(packet?.answers ?? []), ...(packet?.additionals ?? [])])
    assert.deepEqual([ttl, flush], [10, undefined]);
  assert.equal(typesOf(packet?.additionals), "SRV TXT A");
  const before = bench.sent.length;
  for (let i = 0; i < 100; i++) ask(bench, { id: i, questions: [PTR] }, origin);
  assert.equal(bench.sent.length - before, 9);
});

test("a label of ours is defended at once against a probe", () => {
  const bench = announcedOnBench();
  const { instance } = bench.machine.labels;
  const rival = { name: instance, type: "SRV", data: { port: 1, target: "rival.local" } };
  ask(bench, { questions: [{ name: instance, type: "ANY" }], authorities: [rival] });
  assert.equal(bench.sent.at(-1)?.at, bench.now);
  assert.equal(typesOf(bench.sent.at(-1)?.message.packet.answers), "SRV TXT");
});

test("the last words have a lifetime of zero, and leave the service type to the others", () => {
  const bench = announcedOnBench(6, [ETH, WLAN]);
  const before = bench.sent.length;
  bench.machine.close();
  bench.drain();
  const last = bench.sent.slice(before);
  assert.deepEqual(
    last.map(({ message }) => message.interface),
    ["eth0", "wlan0"],
  );
  for (const record of answersOf(last)) assert.equal(record.ttl, 0);
  assert.equal(typesOf(last[0]?.message.packet.answers), "PTR SRV TXT A");
  const silent = advertiserOnBench(7);
  silent.advance(400);
  silent.machine.close();
  silent.drain();
  assert.equal(answersOf(silent.sent).length, 0, "nothing announced, nothing to take back");
});

test("name and application show only while the pairing window is open, and are taken back at once", () => {
  const bench = announcedOnBench();
  const textOf = (from: number): string =>
    JSON.stringify(bench.sent.slice(from), (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : (value as unknown),
    );
  assert.doesNotMatch(textOf(0), /Ana|notes|p=1/);
  let from = bench.sent.length;
  bench.machine.setPairing(true, bench.now);
  const shown = bench.advance(5000);
  assert.equal(shown.length, 3);
  assert.match(textOf(from), /n=Ana.*p=1/);
  assert.ok(answersOf(shown).some(({ name, data }) => name === SUBTYPE && data === bench.machine.labels.instance));

  from = bench.sent.length;
  const closedAt = bench.now;
  const old = bench.machine.labels;
  bench.machine.setPairing(false, bench.now);
  const hidden = bench.advance(1500);
  const goodbyes = answersOf(hidden).filter(({ ttl }) => ttl === 0);
  assert.deepEqual(
    goodbyes.map(({ name, type }) => `${type} ${name}`),
    [`PTR ${SUBTYPE}`],
  );
  const texts = answersOf(hidden).filter(({ type }) => type === "TXT");
  assert.equal(texts.length, 2);
  for (const { flush, ttl, data } of texts) {
    assert.deepEqual([flush, ttl], [true, 120]);
    assert.equal(decodeTxt(data)?.name, undefined);
  }
  assert.doesNotMatch(textOf(from), /Ana|p=1/);
  bench.advance(5000);
  assert.notEqual(bench.machine.labels.instance, old.instance);
  const late = bench.sent.filter(({ at }) => at > closedAt + 2000);
  assert.ok(!JSON.stringify(late).includes(old.instance) && !JSON.stringify(late).includes(old.host));
});

test("a window that opens and closes while the labels are probed for leaves no name behind", () => {
  const bench = advertiserOnBench();
  bench.machine.setPairing(true, 0);
  const sent = bench.advance(700);
  assert.equal(sent.length, 3);
  for (const { message } of sent)
    for (const record of message.packet.authorities ?? [])
      if (record.type === "TXT")
        assert.deepEqual([decodeTxt(record.data)?.name, decodeTxt(record.data)?.pairing], [undefined, false]);
  bench.machine.setPairing(false, bench.now);
  const texts = answersOf(bench.advance(20_000)).filter(({ type }) => type === "TXT");
  assert.equal(texts.length, 4);
  for (const { data } of texts) assert.equal(decodeTxt(data)?.pairing, false);
});

test("a stranger sees nothing twice: not across a rotation, not across a change of network", () => {
  const bench = advertiserOnBench(8);
  const changes = [0, 1, 2, 3].map((i) => ({ at: (i * 2 + 1) * 20 * 60_000, to: i % 2 ? [ETH] : [WLAN] }));
  const periods: { readonly labels: string; readonly seen: Set<string> }[] = [];
  const note = (): void => {
    for (const { message } of bench.sent.splice(0)) {
      const { answers = [], authorities = [] } = message.packet;
      const fresh = [...answers, ...authorities].filter(({ ttl }) => ttl !== 0);
      const current = JSON.stringify(bench.machine.labels);
      if (periods.at(-1)?.labels !== current) periods.push({ labels: current, seen: new Set() });
      for (const record of fresh) {
        const tag = record.type === "TXT" ? decodeTxt(record.data)?.tag : undefined;
        if (tag) assert.ok(tagMatches(nativeCrypto, IRK, tag));
        for (const word of [record.name, JSON.stringify(record.data), tag?.join()])
          for (const label of word?.match(/hf-[0-9a-f]{16}|^\d+(,\d+){15}$/g) ?? []) periods.at(-1)?.seen.add(label);
      }
    }
  };
  for (let minute = 0; minute < 180; minute++) {
    const change = changes.find(({ at }) => at === bench.now);
    if (change) bench.machine.setInterfaces(change.to, bench.now);
    ask(bench, { questions: [PTR] });
    for (let i = 0; i < 60; i++) {
      bench.advance(1000);
      note();
    }
  }
  assert.ok(periods.length >= 13, String(periods.length));
  const all = periods.flatMap(({ seen }) => [...seen]);
  assert.ok(
    periods.every(({ seen }) => seen.size === 3),
    "instance, host and tag",
  );
  assert.equal(new Set(all).size, all.length);
});

test("a tag is recognised with its identity resolving key only", () => {
  const bench = announcedOnBench();
  const txt = answersOf(bench.sent).find(({ type }) => type === "TXT");
  const tag = decodeTxt(txt?.data)?.tag ?? new Uint8Array();
  assert.equal(tag.length, 16);
  assert.equal(tagMatches(nativeCrypto, IRK, tag), true);
  for (let bit = 0; bit < 128; bit++) {
    const key = IRK.slice();
    key[bit >> 3] = (key[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(tagMatches(nativeCrypto, key, tag), false);
    const other = tag.slice();
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(tagMatches(nativeCrypto, IRK, other), false);
  }
  assert.equal(tagMatches(nativeCrypto, IRK, tag.subarray(1)), false);
});

test("TXT: the first of a key counts, another version and what cannot be shown do not", () => {
  const of = (...entries: string[]): ReturnType<typeof decodeTxt> =>
    decodeTxt(entries.map((each) => Buffer.from(each)));
  const tag = new Uint8Array(16).fill(9);
  assert.deepEqual(decodeTxt(encodeTxt({ tag, name: "Ana", pairing: true })), { tag, name: "Ana", pairing: true });
  assert.deepEqual(decodeTxt(encodeTxt({ tag, name: "Ana", pairing: false })), {
    tag,
    name: undefined,
    pairing: false,
  });
  assert.equal(of("v=2"), undefined);
  assert.equal(of("t=abc"), undefined);
  assert.deepEqual(of("V=1", "v=2", "P=1", "n=a", "n=b", "=x", "odd"), { tag: undefined, name: "a", pairing: true });
  assert.equal(of("v=1", "p=1", `n=${"a".repeat(64)}`)?.name, "a".repeat(64));
  for (const name of ["a".repeat(65), "a\u202eb", "a\nb", " ", ""])
    assert.equal(of("v=1", "p=1", `n=${name}`)?.name, undefined, JSON.stringify(name));
  assert.equal(of("v=1", "n=Ana")?.name, undefined);
  for (const t of ["AAAA", "A".repeat(23), "+".repeat(22)]) assert.equal(of("v=1", `t=${t}`)?.tag, undefined);
  assert.equal(decodeTxt("v=1"), undefined);
  assert.equal(decodeTxt([Buffer.from([0xff, 0xfe])]), undefined);
});

test("an application's name is a subtype only when DNS can carry it", () => {
  assert.equal(subtypeOf("notes"), `_notes._sub.${SERVICE}`);
  assert.equal(subtypeOf("a".repeat(62)), `_${"a".repeat(62)}._sub.${SERVICE}`);
  for (const odd of [undefined, "", "a".repeat(63), "My App", "a.b", "-a", "a-", "é"])
    assert.equal(subtypeOf(odd), undefined);
});

test("records that say the same have the same key", () => {
  const srv = (target: string): string | undefined =>
    recordKey({ name: "X.local.", type: "SRV", ttl: 1, data: { port: 1, target } });
  assert.equal(srv("A.local"), srv("a.LOCAL."));
  assert.notEqual(srv("a.local"), srv("b.local"));
  assert.equal(recordKey({ name: "x", type: "A", data: "1.2.3.256" }), undefined);
  assert.equal(recordKey({ name: "x", type: "SRV", data: null }), undefined);
  assert.equal(recordKey({ name: "x", type: "MX", data: {} }), undefined);
});
