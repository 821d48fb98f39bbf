import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { fromHex, toHex } from "#kernel/bytes.js";
import { isAcceptableKey } from "#pairing/exchange.js";
import { f4, f5, f6, g2 } from "#pairing/toolbox.js";

interface Vector {
  readonly id: string;
  readonly fn: string;
  readonly model?: string;
  readonly in: Record<string, string>;
  readonly out: Record<string, string> & { rounds?: Record<string, string>[] };
}

const { vectors } = JSON.parse(readFileSync("test/vectors/ble-vectors.json", "utf8")) as { vectors: Vector[] };
const h = (hex: string | undefined): Uint8Array => fromHex(hex ?? "");

function functions(crypto: Crypto, vector: Vector): void {
  const { in: i, out: o } = vector;
  if (vector.id === "f4") assert.equal(toHex(f4(crypto, h(i["U"]), h(i["V"]), h(i["X"]), h(i["Z"])[0] ?? 0)), o["f4"]);
  if (vector.id === "g2") assert.equal(g2(crypto, h(i["U"]), h(i["V"]), h(i["X"]), h(i["Y"])), o["mod_1e6"]);
  if (vector.id === "f5") {
    const keys = f5(crypto, { w: h(i["W"]), n1: h(i["N1"]), n2: h(i["N2"]), a1: h(i["A1"]), a2: h(i["A2"]) });
    assert.deepEqual([toHex(keys.macKey), toHex(keys.ltk)], [o["mackey"], o["ltk"]]);
  }
  if (vector.id === "f6") {
    const input = {
      w: h(i["W"]),
      n1: h(i["N1"]),
      n2: h(i["N2"]),
      r: h(i["R"]),
      ioCap: h(i["IOcap"]),
      a1: h(i["A1"]),
      a2: h(i["A2"]),
    };
    assert.equal(toHex(f6(crypto, input)), o["f6"]);
  }
  if (vector.fn === "AES-CMAC")
    assert.equal(toHex(crypto.aesCmac({ key: h(i["key"]), message: h(i["message"]) })), o["mac"]);
}

/** One published pairing, from the private key to both DHKey checks. */
function completePairing(crypto: Crypto, { in: i, out: o }: Vector): void {
  const [xA, xB] = [h(i["PKa_x"]), h(i["PKb_x"])];
  const rounds = o.rounds ?? [];
  const passkey = i["passkey"] === undefined ? undefined : Number(i["passkey"]);
  for (const [bit, round] of rounds.entries()) {
    const z = passkey === undefined ? 0 : 0x80 | ((passkey >>> bit) & 1);
    if (round["Ca"]) assert.equal(toHex(f4(crypto, xA, xB, h(round["Na"]), z)), round["Ca"]);
    assert.equal(toHex(f4(crypto, xB, xA, h(round["Nb"]), z)), round["Cb"]);
  }
  assert.equal(rounds.length, passkey === undefined ? 1 : 20);
  const last = rounds.at(-1) ?? {};
  const [na, nb] = [h(last["Na"]), h(last["Nb"])];
  if (o["digits"] !== undefined) assert.equal(g2(crypto, xA, xB, na, nb), o["digits"]);
  const own = crypto.p256KeyPair(h(i["private_key"]));
  assert.ok(own);
  const [mine, theirs] = i["known_private_key_side"] === "initiator" ? (["a", "b"] as const) : (["b", "a"] as const);
  assert.equal(toHex(own.public), `04${i[`PK${mine}_x`]}${i[`PK${mine}_y`]}`);
  const dhKey = crypto.p256SharedSecret(own, h(`04${i[`PK${theirs}_x`]}${i[`PK${theirs}_y`]}`));
  assert.ok(dhKey);
  assert.equal(toHex(dhKey), o["dhkey"]);
  const [a1, a2] = [h(i["A"]), h(i["B"])];
  const keys = f5(crypto, { w: dhKey, n1: na, n2: nb, a1, a2 });
  assert.deepEqual([toHex(keys.macKey), toHex(keys.ltk)], [o["mackey"], o["ltk"]]);
  const check = { w: keys.macKey, r: h(i["r"]) };
  const checkA = f6(crypto, { ...check, n1: na, n2: nb, ioCap: h(i["IOcapA"]), a1, a2 });
  const checkB = f6(crypto, { ...check, n1: nb, n2: na, ioCap: h(i["IOcapB"]), a1: a2, a2: a1 });
  assert.deepEqual([toHex(checkA), toHex(checkB)], [o["Ea"], o["Eb"]]);
}

/** P-256: what a peer may send instead of a point on the curve. p is the field's prime. */
const P = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const GX = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
const GY = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
const ZERO = "00".repeat(32);
const REFUSED: Record<string, string> = {
  "y set to zero (CVE-2018-5383)": `04${GX}${ZERO}`,
  "off the curve": `04${GX}${GX}`,
  "both zero": `04${ZERO}${ZERO}`,
  "x = p": `04${P}${GY}`,
  "y = p": `04${GX}${P}`,
  "y + p is not taken for y": `04${GX}${"ff".repeat(32)}`,
  "the point at infinity": "00",
  compressed: `03${GX}`,
  hybrid: `07${GX}${GY}`,
  "a wrong first byte": `05${GX}${GY}`,
  "a byte short": `04${GX}${GY.slice(2)}`,
  "a byte long": `04${GX}${GY}00`,
  empty: "",
};

for (const crypto of [nobleCrypto, nativeCrypto]) {
  test(`${crypto.name}: f4, f5, f6, g2 and AES-CMAC give the published values`, () => {
    for (const vector of vectors) functions(crypto, vector);
  });

  test(`${crypto.name}: complete published pairings, also with digits that begin with a zero`, () => {
    const complete = vectors.filter(({ fn }) => fn === "complete LESC pairing");
    assert.equal(complete.length, 10);
    assert.ok(complete.some(({ out }) => out["digits"]?.startsWith("0")));
    for (const vector of complete) completePairing(crypto, vector);
  });

  test(`${crypto.name}: published DHKeys, also of the debug key with itself`, () => {
    for (const { id, in: i, out: o } of vectors.filter((each) => each.id.startsWith("p256-dhkey"))) {
      const [a, b] = [crypto.p256KeyPair(h(i["privA"])), crypto.p256KeyPair(h(i["privB"]))];
      assert.ok(a && b, id);
      assert.deepEqual(
        [toHex(a.public), toHex(b.public)],
        [`04${i["pubA_x"]}${i["pubA_y"]}`, `04${i["pubB_x"]}${i["pubB_y"]}`],
      );
      assert.equal(toHex(crypto.p256SharedSecret(a, b.public) ?? new Uint8Array()), o["dhkey"], id);
      assert.equal(toHex(crypto.p256SharedSecret(b, a.public) ?? new Uint8Array()), o["dhkey"], id);
    }
  });

  test(`${crypto.name}: a key is refused unless it is a point on the curve, in the one form, nobody's known key and not ours`, () => {
    const own = crypto.p256KeyPair(new Uint8Array(32).fill(9));
    assert.ok(own);
    assert.ok(isAcceptableKey(crypto, h(`04${GX}${GY}`), own.public));
    for (const [name, point] of Object.entries(REFUSED)) {
      assert.equal(isAcceptableKey(crypto, h(point), own.public), false, name);
      assert.equal(crypto.p256SharedSecret(own, h(point)), undefined, name);
    }
    assert.equal(isAcceptableKey(crypto, own.public, own.public), false, "our own key (CVE-2020-26558)");
    const y = BigInt(`0x${toHex(own.public.subarray(33))}`);
    const negated = (BigInt(`0x${P}`) - y).toString(16).padStart(64, "0");
    const mirror = h(`04${toHex(own.public.subarray(1, 33))}${negated}`);
    assert.equal(crypto.p256IsValidPoint(mirror), true);
    assert.equal(isAcceptableKey(crypto, mirror, own.public), false, "the negative of our own key (CVE-2021-37577)");
    const debug = vectors.find(({ id }) => id === "p256-dhkey-set1")?.in ?? {};
    assert.equal(isAcceptableKey(crypto, h(`04${debug["pubA_x"]}${debug["pubA_y"]}`), own.public), false, "debug key");
  });
}
