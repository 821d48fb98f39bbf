import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { utf8 } from "#kernel/bytes.js";
import { ipToBytes, ipToText } from "#kernel/ipAddress.js";
import { fromBase32, toBase32 } from "#pairing/base32.js";
import { freshKeyPair } from "#pairing/exchange.js";
import { PairingInitiator } from "#pairing/initiator.js";
import { linkText, makeLink, parseLink } from "#pairing/link.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { withSeeds } from "../simulation/seeds.js";
import { codeOf, PairingWorld, PC, PHONE } from "../support/pairing.js";
import { pairUnderLoss } from "../support/pairingStory.js";

const LINK = { kind: "link", addresses: [PC] } as const;
const SECRET = { kind: "secret", secret: new SeededRandom(99).bytes(32) } as const;
const random = new SeededRandom(1).bytes;

test("base32 is RFC 4648's without padding, and its own inverse", () => {
  const table = { "": "", f: "MY", fo: "MZXQ", foo: "MZXW6", foob: "MZXW6YQ", fooba: "MZXW6YTB", foobar: "MZXW6YTBOI" };
  for (const [text, base32] of Object.entries(table)) assert.equal(toBase32(utf8(text)), base32);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(fromBase32(toBase32(bytes)), bytes)));
  for (const odd of ["M", "MZX", "MZXW6Y", "MZ", "my", "M1", "MY======"]) assert.equal(fromBase32(odd), undefined, odd);
});

test("addresses: four or sixteen bytes, and nothing else", () => {
  const round = { "192.168.1.20": "192.168.1.20", "0::1": "::1", "fe80::a:b": "fe80::a:b" };
  for (const [text, again] of Object.entries(round)) assert.equal(ipToText(ipToBytes(text) ?? new Uint8Array()), again);
  assert.equal(ipToBytes("2001:db8:0:0:1:2:3:ffff")?.length, 16);
  for (const odd of [
    "",
    "1.2.3",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4.5",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "fe80::1%eth0",
    "g::1",
    "host",
  ])
    assert.equal(ipToBytes(odd), undefined, odd);
  assert.equal(ipToText(new Uint8Array(5)), undefined);
});

test("a link is short, fits a QR code's dense mode, and comes back whole in either form", () => {
  const pair = freshKeyPair(nativeCrypto, random);
  const addresses = [
    { host: "192.168.178.54", port: 4760 },
    { host: "2001:db8:1:2:3:4:5:6", port: 4760 },
  ];
  const link = makeLink(nativeCrypto, random, pair, [...addresses, { host: "my-pc.local", port: 4760 }]);
  const text = linkText(link);
  assert.match(text, /^HF1:[A-Z2-7]+$/);
  assert.ok(text.length <= 120, `${text.length} characters`);
  for (const form of [text, text.toLowerCase(), text.replace("HF1:", "handfast:"), ` ${text}\n`])
    assert.deepEqual(parseLink(form), { ...link, addresses: link.addresses });
});

test("a link shows four addresses at most, of IPv6 the most useful one beside IPv4, and no zone", () => {
  const pair = freshKeyPair(nativeCrypto, random);
  const v4 = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"];
  const v6 = ["fe80::1%eth0", "fd00::1", "fe80::1%wlan0", "fd00::2", "fe80::2%eth0", "fd00::3"];
  for (const [own, shown] of [
    [v4, v4.slice(0, 4)],
    [
      [...v6, ...v4],
      ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1"],
    ],
    [
      ["fe80::1%eth0", "10.0.0.1"],
      ["10.0.0.1", "fe80::1"],
    ],
    [v6, ["fd00::1", "fd00::2", "fd00::3", "fe80::1"]],
    [["fe80::1%eth0", "fe80::1%wlan0"], ["fe80::1"]],
  ] as const) {
    const link = makeLink(
      nativeCrypto,
      random,
      pair,
      own.map((host) => ({ host, port: 4760 })),
    );
    const hosts = parseLink(linkText(link)).addresses.map(({ host }) => host);
    assert.deepEqual(hosts, shown);
    assert.ok(linkText(link).length <= (own === v6 ? 180 : 130), `${linkText(link).length} characters`);
  }
});

test("what is no link is refused in words", () => {
  const text = linkText(makeLink(nativeCrypto, random, freshKeyPair(nativeCrypto, random), [PC]));
  for (const odd of [
    "",
    "HF1:",
    "http://example.org",
    text.slice(0, -1),
    `${text}A`,
    text.slice(4),
    "HF1:MZXW6YTB",
    "123456",
    "BCDFG",
  ])
    assert.throws(() => parseLink(odd), { code: "BAD_LINK" }, odd);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        parseLink(`HF1:${toBase32(bytes)}`);
      } catch (error) {
        assert.equal((error as { code: string }).code, "BAD_LINK");
      }
    }),
    { numRuns: 500 },
  );
});

test("a link from the PC's screen, or a secret that both hold, pairs two devices", () => {
  for (const method of [LINK, SECRET])
    for (const crypto of [nativeCrypto, nobleCrypto]) {
      const world = new PairingWorld({ seed: 1, method, crypto });
      const { phone, pc } = world.run();
      assert.deepEqual([codeOf(phone), codeOf(pc)], ["done", "done"], method.kind);
      assert.deepEqual(world.phone?.bonds[0]?.psk, world.pcBonds[0]?.psk);
      assert.equal(
        world.pcEvents.some(({ type }) => type === "approve"),
        method.kind === "link",
      );
    }
});

test("links and secrets survive 30 % loss, duplication and reordering", async () => {
  await withSeeds(25, (seed) => {
    pairUnderLoss("link", seed);
    pairUnderLoss("secret", seed);
  });
});

test("the PC's person may refuse who scanned; the link is replaced", () => {
  const world = new PairingWorld({ seed: 2, method: LINK, approves: () => false });
  const first = world.link;
  const { phone, pc } = world.run();
  assert.deepEqual([codeOf(phone), codeOf(pc)], ["DIGITS_REFUSED", "DIGITS_REFUSED"]);
  assert.notEqual(world.link, first);
  assert.equal(world.pcBonds.length, 0);
});

test("two devices with one link: neither comes in, and the window closes with a warning", () => {
  const world = new PairingWorld({ seed: 3, method: LINK, approves: () => undefined });
  const first = world.start();
  world.clock.runUntil(() => world.pcEvents.some(({ type }) => type === "approve"), 5000);
  const second = world.start({ host: "10.0.0.66", port: 1 });
  world.clock.runUntil(() => first.outcome !== undefined && second.outcome !== undefined, 30_000);
  assert.deepEqual([codeOf(first.outcome), codeOf(second.outcome)], ["LINK_USED_TWICE", "LINK_USED_TWICE"]);
  assert.ok(world.pcEvents.some((event) => event.type === "windowClosed" && event.reason === "linkUsedTwice"));
  assert.equal(world.pcBonds.length, 0);
});

test("who gives up and uses the link once more is told that it is used, without an alarm", () => {
  const world = new PairingWorld({ seed: 10, method: LINK, approves: () => undefined });
  const link = parseLink(world.link ?? "");
  const first = world.start();
  world.clock.runUntil(() => world.pcEvents.some(({ type }) => type === "approve"), 5000);
  first.initiator.cancel(world.clock.now());
  first.pump.turn();
  const again = world.start({ ...PHONE, port: 9 }, { kind: "link", link });
  world.clock.runUntil(() => again.outcome !== undefined, 30_000);
  assert.equal(codeOf(again.outcome), "LINK_EXPIRED");
  assert.equal(world.responder.isOpen, true);
});

test("an old link is refused as expired, not as an attack", () => {
  const world = new PairingWorld({ seed: 4, method: LINK });
  const old = parseLink(world.link ?? "");
  world.open();
  const phone = world.start(PHONE, { kind: "link", link: old });
  world.clock.runUntil(() => phone.outcome !== undefined, 20_000);
  assert.equal(codeOf(phone.outcome), "LINK_EXPIRED");
  const late = new PairingWorld({ seed: 4, method: LINK });
  late.clock.runUntil(() => false, 121_000);
  const silent = late.start();
  late.clock.runUntil(() => silent.outcome !== undefined, 20_000);
  assert.equal(codeOf(silent.outcome), "PAIRING_NOT_ANSWERED");
});

test("a link whose commitment does not fit the key: the phone says nothing of the link", () => {
  const world = new PairingWorld({ seed: 5, method: LINK });
  const link = parseLink(world.link ?? "");
  const commitment = link.commitment.slice();
  commitment[0] = (commitment[0] ?? 0) ^ 1;
  let sent = 0;
  world.network.tap = (bytes, from) => {
    if (from.port === PHONE.port && [4, 6].includes(bytes[2] ?? 0)) sent++;
    return [bytes];
  };
  const phone = world.start(PHONE, { kind: "link", link: { ...link, commitment } });
  world.clock.runUntil(() => phone.outcome !== undefined, 20_000);
  assert.equal(codeOf(phone.outcome), "POSSIBLE_ATTACK");
  assert.equal(sent, 0);
});

test("who knows the key but not the link's secret gets nowhere", () => {
  const world = new PairingWorld({ seed: 6, method: LINK });
  const link = parseLink(world.link ?? "");
  const phone = world.start(PHONE, {
    kind: "link",
    link: { ...link, rb: new Uint8Array(16), commitment: link.commitment },
  });
  world.clock.runUntil(() => phone.outcome !== undefined, 20_000);
  assert.equal(codeOf(phone.outcome), "POSSIBLE_ATTACK");
  assert.equal(world.pcBonds.length, 0);
});

test("two different secrets never make a bond", () => {
  const other = { kind: "secret", secret: random(32) } as const;
  const world = new PairingWorld({ seed: 7, method: SECRET, phoneMethod: other });
  const { phone } = world.run(30_000);
  assert.equal(codeOf(phone), "POSSIBLE_ATTACK");
  assert.equal(world.pcBonds.length + (world.phone?.bonds.length ?? 0), 0);
  assert.equal(world.responder.isOpen, true);
});

test("a secret has 16 to 64 bytes", () => {
  const world = new PairingWorld({ seed: 8 });
  const open = (length: number): void =>
    world.responder.openWindow({ method: { kind: "secret", secret: new Uint8Array(length) } }, world.clock.now());
  const begin = (length: number): PairingInitiator =>
    new PairingInitiator({
      ...{ crypto: nativeCrypto, random, identity: world.identity("x"), to: PC, now: 0 },
      method: { kind: "secret", secret: new Uint8Array(length) },
    });
  for (const length of [16, 64]) {
    open(length);
    begin(length);
  }
  for (const length of [0, 15, 65]) {
    assert.throws(() => open(length), RangeError);
    assert.throws(() => begin(length), RangeError);
  }
});

test("recorded datagrams of a finished pairing are worth nothing", () => {
  const world = new PairingWorld({ seed: 9, method: LINK });
  const recorded: Uint8Array[] = [];
  world.network.tap = (bytes, from) => {
    if (from.port === PHONE.port) recorded.push(bytes.slice());
    return [bytes];
  };
  assert.equal(codeOf(world.run().pc), "done");
  world.network.tap = undefined;
  world.clock.runUntil(() => false, 70_000);
  world.open();
  for (const bytes of recorded) {
    world.network.inject(bytes, PHONE, PC);
    world.clock.runUntil(() => false, 50);
  }
  assert.equal(world.pcBonds.length, 1);
});
