import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { fromHex, toHex } from "#kernel/bytes.js";
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

function numericComparison(crypto: Crypto, { in: i, out: o }: Vector): void {
  const round = o.rounds?.[0] ?? {};
  const [na, nb] = [h(round["Na"]), h(round["Nb"])];
  const [xA, xB] = [h(i["PKa_x"]), h(i["PKb_x"])];
  assert.equal(toHex(f4(crypto, xB, xA, nb, 0)), round["Cb"]);
  assert.equal(g2(crypto, xA, xB, na, nb), o["digits"]);
  const own = crypto.p256KeyPair(h(i["private_key"]));
  const other = i["known_private_key_side"] === "initiator" ? "b" : "a";
  const peer = h(`04${i[`PK${other}_x`]}${i[`PK${other}_y`]}`);
  const dhKey = own && crypto.p256SharedSecret(own, peer);
  assert.equal(dhKey && toHex(dhKey), o["dhkey"]);
  const keys = f5(crypto, { w: h(o["dhkey"]), n1: na, n2: nb, a1: h(i["A"]), a2: h(i["B"]) });
  assert.equal(toHex(keys.ltk), o["ltk"]);
  const check = { w: keys.macKey, r: h(i["r"]) };
  assert.equal(
    toHex(f6(crypto, { ...check, n1: na, n2: nb, ioCap: h(i["IOcapA"]), a1: h(i["A"]), a2: h(i["B"]) })),
    o["Ea"],
  );
  assert.equal(
    toHex(f6(crypto, { ...check, n1: nb, n2: na, ioCap: h(i["IOcapB"]), a1: h(i["B"]), a2: h(i["A"]) })),
    o["Eb"],
  );
}

for (const crypto of [nobleCrypto, nativeCrypto]) {
  test(`${crypto.name}: f4, f5, f6, g2 and AES-CMAC give the published values`, () => {
    for (const vector of vectors) functions(crypto, vector);
  });

  test(`${crypto.name}: complete published pairings, also with digits that begin with a zero`, () => {
    const complete = vectors.filter(({ model }) => model === "numeric comparison");
    assert.ok(complete.length >= 4);
    assert.ok(complete.some(({ out }) => out["digits"]?.startsWith("0")));
    for (const vector of complete) numericComparison(crypto, vector);
  });
}
