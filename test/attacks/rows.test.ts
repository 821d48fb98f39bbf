import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

// The known attacks on pairing (Bluetooth, 2007 to 2026) and where each is tried here. Every row has a test whose title
// begins with "row <number>:", or says why there is nothing to try.

interface Row {
  readonly attack: string;
  /** Why this product cannot have it, or what has to exist first. */
  readonly notApplicable?: string;
}

const ROWS: Readonly<Record<number, Row>> = {
  1: { attack: "Invalid curve, fixed coordinate (CVE-2018-5383)" },
  2: { attack: "Small subgroup, X25519 low order" },
  3: { attack: "Debug key" },
  4: { attack: "Same-x reflection (CVE-2020-26558, CVE-2021-37577)" },
  5: { attack: "Reflection of values" },
  6: { attack: "Man in the middle without a commitment (Vaudenay 2005)" },
  7: { attack: "Nonce or key reuse between attempts" },
  8: {
    attack: "Method confusion (von Tschirschnitz 2021)",
  },
  9: { attack: "Passkey confusion (Shi 2026)" },
  10: { attack: "Pairing-mode confusion (Claverie 2023)" },
  11: { attack: "Just Works downgrade, IO capability edit (Zhang 2020)" },
  12: { attack: "Feature and name tampering" },
  13: { attack: "KNOB: key size negotiation (CVE-2019-9506)" },
  14: { attack: "BIAS: role switch on reconnect (CVE-2020-10135)" },
  15: { attack: "BLESA: spoofed server's data (2020)" },
  16: { attack: "BLURtooth: a second transport overwrites the key (CVE-2020-15802)" },
  17: { attack: "BLUFFS: reusable session key (CVE-2023-24023)" },
  18: { attack: "BLERP: unauthenticated re-pairing (2026)" },
  19: { attack: "Happy man in the middle: failures nobody is warned of" },
  20: { attack: "Passkey leak by reuse (Lindell 2008)" },
  21: { attack: "Group guessing, ghost (Jangid 2023)" },
  22: { attack: "Concurrent sessions (Chang-Shmatikov 2007)" },
  23: { attack: "Misbinding (Sethi-Peltonen-Aura 2019)" },
  24: { attack: "Habit click, one-sided confirmation (Uzun 2007)" },
  25: { attack: "Fuzz crashes and skipped checks (SweynTooth, BrakTooth, BLEDiff)" },
  26: { attack: "Flood of first packets" },
  27: { attack: "Slot holding, lockout" },
  28: { attack: "Early ABORT injection" },
  29: { attack: "Crackle, InjectaBLE: short secrets in keys" },
  30: { attack: "Tracking by who reacts (BAT 2022)" },
  31: { attack: "Another local program uses the bond (Sivakumaran 2019)" },
  32: {
    attack: "Copied bond file (BLAP)",
  },
  33: { attack: "Timing side channels in JavaScript" },
};

const folder = new URL(".", import.meta.url);
const titles = readdirSync(folder)
  .filter((name) => name.endsWith(".test.js") && name !== "rows.test.js")
  .map((name) => readFileSync(new URL(name, folder), "utf8"))
  .join("\n");
const tested = (row: number): boolean => new RegExp(`test\\(["\`]row ${row}:`).test(titles);

test("each of the 33 known attacks has a test, or a reason why there is nothing to try", () => {
  assert.equal(Object.keys(ROWS).length, 33);
  for (const [number, { attack, notApplicable }] of Object.entries(ROWS)) {
    const has = tested(Number(number));
    assert.ok(has || notApplicable, `row ${number} (${attack}) has no test`);
    assert.ok(!has || !notApplicable, `row ${number} (${attack}) has a test: take out the reason`);
  }
});
