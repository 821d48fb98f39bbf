import assert from "node:assert/strict";
import { test } from "node:test";
import type { InitiatorMethod } from "#pairing/initiator.js";
import type { ResponderMethod } from "#pairing/invitation.js";
import { parseLink } from "#pairing/link.js";
import { parsePasskey } from "#pairing/passkey.js";
import { codeOf, PairingWorld, PC, PHONE } from "../support/pairing.js";

const METHODS: readonly ResponderMethod[] = [
  { kind: "compare" },
  { kind: "code" },
  { kind: "link", addresses: [PC] },
  { kind: "secret", secret: new Uint8Array(32).fill(7) },
];

function phoneMethodOf(kind: ResponderMethod["kind"]): InitiatorMethod {
  if (kind === "compare" || kind === "code") return { kind };
  if (kind === "secret") return { kind, secret: new Uint8Array(32).fill(7) };
  const elsewhere = new PairingWorld({ seed: 77, method: { kind: "link", addresses: [PC] } });
  return { kind, link: parseLink(elsewhere.link ?? "") };
}

test("each person chooses the way at their own screen: two different choices never pair, and say so", () => {
  for (const method of METHODS)
    for (const { kind } of METHODS) {
      if (kind === method.kind) continue;
      const world = new PairingWorld({ seed: 1, method });
      const phone = world.start(PHONE, phoneMethodOf(kind));
      world.clock.runUntil(() => phone.outcome !== undefined, 30_000);
      const linkAgainstSecret =
        method.kind !== "compare" && method.kind !== "code" && kind !== "compare" && kind !== "code";
      assert.equal(
        codeOf(phone.outcome),
        linkAgainstSecret ? "LINK_EXPIRED" : "OTHER_METHOD",
        `${method.kind} ${kind}`,
      );
      assert.equal(world.pcBonds.length + phone.bonds.length, 0);
      assert.ok(!world.pcEvents.some(({ type }) => type === "digits" || type === "approve"), "a person was asked");
    }
});

test("the window says how it lets in, and letters and links are shown as soon as it is open", () => {
  for (const method of METHODS) {
    const world = new PairingWorld({ seed: 2, method });
    const opened = world.pcEvents.find((event) => event.type === "windowOpened");
    assert.equal(opened?.type === "windowOpened" && opened.method, method.kind);
    assert.equal(world.letters !== undefined, method.kind === "code");
    assert.equal(world.link !== undefined, method.kind === "link");
  }
});

test("method confusion: a person who types whatever the other screen shows never makes a bond with somebody in between", () => {
  // The attacker compares digits with the PC and lets the phone's person type (von Tschirnitz 2021): the PC's digits have to fit the phone's field.
  const pc = new PairingWorld({ seed: 3, pcSays: () => undefined });
  const attackerToPc = pc.start({ host: "10.0.0.66", port: 1 }, { kind: "compare" });
  pc.clock.runUntil(() => pc.pcDigits !== undefined, 10_000);
  assert.match(pc.pcDigits?.digits ?? "", /^\d{6}$/);
  // … and the attacker plays a PC for letters towards the phone.
  const fake = new PairingWorld({ seed: 4, method: { kind: "code" }, types: () => pc.pcDigits?.digits });
  const phone = fake.start(PHONE, { kind: "code" });
  fake.clock.runUntil(() => phone.outcome !== undefined, 100_000);
  assert.notEqual(codeOf(phone.outcome), "done");
  assert.equal(phone.bonds.length + attackerToPc.bonds.length, 0);
  assert.equal(parsePasskey(pc.pcDigits?.digits ?? ""), undefined);
});

test("what a device says about itself has to be shown as it is: own names are checked before they leave", () => {
  const world = new PairingWorld({ seed: 5 });
  for (const name of ["", " ", "a\u202eb", "a\u0000", "x".repeat(65), "\u3164"]) {
    const identity = { ...world.identity("x"), name };
    assert.throws(() => world.responderWith(identity), RangeError, JSON.stringify(name));
  }
});

test("the application has to be the same", () => {
  const world = new PairingWorld({ seed: 6, phoneAppId: "notes" });
  const { phone } = world.run(30_000);
  assert.equal(codeOf(phone), "OTHER_APPLICATION");
});

test("what both can do with a bond is what both have said", () => {
  const world = new PairingWorld({ seed: 7, upgrades: [0b110, 0b011] });
  assert.equal(codeOf(world.run().phone), "done");
  assert.equal(world.phone?.bonds[0]?.upgrades, 0b010);
  assert.equal(world.pcBonds[0]?.upgrades, 0b010);
});
