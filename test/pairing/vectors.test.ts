import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Crypto } from "#crypto/crypto.js";
import { hkdf, hkdfExpand, hkdfExtract } from "#crypto/hkdf.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { nobleCrypto } from "#crypto/noble.js";
import { concat, fromHex, toHex, utf8 } from "#kernel/bytes.js";
import { decodeCbor } from "#kernel/cbor.js";
import { parseLink } from "#pairing/link.js";
import { decodeMessage, type Message, type MessageOf, TYPE, type TypeName } from "#pairing/messages.js";
import { parsePasskey } from "#pairing/passkey.js";
import { f4, f5, f6 } from "#pairing/toolbox.js";
import { makePairings, type PairingVector } from "../support/pairingVectors.js";

const frozen = JSON.parse(readFileSync("test/vectors/pairings.json", "utf8")) as PairingVector[];

for (const crypto of [nobleCrypto, nativeCrypto])
  test(`${crypto.name}: the pairings of version 1 are frozen, byte by byte`, () => {
    assert.equal(frozen.length, 4);
    assert.deepEqual(makePairings(crypto), frozen);
  });

test("the keys of a frozen pairing follow from PROTOCOL.md §4 and the datagrams alone", () => {
  for (const vector of frozen) recompute(nobleCrypto, vector);
});

/** PROTOCOL.md §4 read by somebody else: none of the product's key code, only its functions of the Core Specification. */
function recompute(crypto: Crypto, { way, given, datagrams, bondId, bondSecret }: PairingVector): void {
  const bytesOf = datagrams.map(({ hex }) => fromHex(hex));
  const messages = bytesOf.map((bytes) => decodeMessage(bytes) as Message);
  const all = <Name extends TypeName>(name: Name): MessageOf<Name>[] =>
    messages.filter((message): message is MessageOf<Name> & Message => message.type === TYPE[name]);
  const given32 = (name: string): Uint8Array => fromHex(given[name] ?? "");
  const [start, offer, ident] = [all("START")[0], all("OFFER")[0], all("IDENT")[0]];
  assert.ok(start && offer && ident);
  const [xA, xB] = [start.publicKey.slice(1, 33), offer.publicKey.slice(1, 33)];
  const [na, nb] = [all("NONCE").at(-1)?.nonce, all("REVEAL").at(-1)?.nonce];
  assert.ok(na && nb);
  const { ra, rb, prefix, outOfBand } = outside(crypto, way, given, start.publicKey, offer.publicKey);
  if (way === "compare") assert.deepEqual(offer.commitment, f4(crypto, xB, xA, nb, 0));
  if (way === "code")
    for (const [i, { commitment }] of all("COMMIT").entries()) {
      const bit = 0x80 | (((parsePasskey(given["letters"] ?? "") ?? 0) >> i) & 1);
      assert.deepEqual(commitment, f4(crypto, xA, xB, all("NONCE")[i]?.nonce ?? xA, bit));
      assert.deepEqual(all("COMMITTED")[i]?.commitment, f4(crypto, xB, xA, all("REVEAL")[i]?.nonce ?? xB, bit));
    }
  const address = (label: string, features: Uint8Array): Uint8Array =>
    concat(Uint8Array.of(0x48), crypto.sha256(utf8(label), features, start.pid).slice(0, 6));
  const [a1, a2] = [address("hf1 addr I", start.features), address("hf1 addr R", offer.features)];
  const own = crypto.p256KeyPair(given32("initiator P-256 secret"));
  const dhKey = own && crypto.p256SharedSecret(own, offer.publicKey);
  assert.ok(dhKey);
  const { macKey, ltk } = f5(crypto, { w: dhKey, n1: na, n2: nb, a1, a2 });
  const ioA = Uint8Array.of(0x0d, outOfBand[0], way === "code" ? 2 : 1);
  const ioB = Uint8Array.of(0x0d, outOfBand[1], 1);
  assert.deepEqual(all("CHECK")[0]?.check, f6(crypto, { w: macKey, n1: na, n2: nb, r: rb, ioCap: ioA, a1, a2 }));
  assert.deepEqual(
    all("CHECKED")[0]?.check,
    f6(crypto, { w: macKey, n1: nb, n2: na, r: ra, ioCap: ioB, a1: a2, a2: a1 }),
  );
  const heard: ReadonlySet<number> = new Set([2, 3, 4, 5, 13, 14]);
  const said = bytesOf.filter((_, i) => heard.has(messages[i]?.type ?? -1));
  const th = crypto.sha256(
    utf8("handfast/1 pair"),
    prefix,
    ...said.flatMap((bytes) => [Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes]),
  );
  const master = hkdfExtract(crypto, th, concat(dhKey, ltk));
  const aead = crypto.aead(hkdfExpand(crypto, master, utf8("hf1 ir"), 32));
  const plain = aead.open(new Uint8Array(12), th, ident.sealed);
  assert.ok(plain);
  assert.deepEqual(
    [...(decodeCbor(plain) as Map<number, Uint8Array>)],
    [
      [0, given32("initiator static public")],
      [1, given32("initiator IRK")],
    ],
  );
  const statics = concat(given32("initiator static public"), given32("responder static public"));
  assert.equal(toHex(hkdfExpand(crypto, master, utf8("hf1 bond id"), 16)), bondId);
  const psk = hkdf(crypto, { salt: master, inputKey: statics, info: utf8("hf1 bond psk"), length: 32 });
  assert.equal(toHex(psk), bondSecret);
}

/** What each way adds: ra, rb, the prefix of TH and both OOB flags. */
function outside(
  crypto: Crypto,
  way: PairingVector["way"],
  given: PairingVector["given"],
  publicA: Uint8Array,
  publicB: Uint8Array,
): { ra: Uint8Array; rb: Uint8Array; prefix: Uint8Array; outOfBand: readonly [number, number] } {
  const none = new Uint8Array(16);
  if (way === "code") {
    const r = fromHex((parsePasskey(given["letters"] ?? "") ?? 0).toString(16).padStart(32, "0"));
    return { ra: r, rb: r, prefix: new Uint8Array(0), outOfBand: [0, 0] };
  }
  if (way === "link") {
    const link = parseLink(given["link"] ?? "");
    return { ra: none, rb: link.rb, prefix: crypto.sha256(link.bytes), outOfBand: [1, 0] };
  }
  if (way === "compare") return { ra: none, rb: none, prefix: new Uint8Array(0), outOfBand: [0, 0] };
  const secret = fromHex(given["secret"] ?? "");
  const mac = (...parts: Uint8Array[]): Uint8Array => crypto.hmacSha256(secret, ...parts);
  return {
    ra: mac(utf8("hf1 secret ra"), publicA, publicB).slice(0, 16),
    rb: mac(utf8("hf1 secret rb"), publicA, publicB).slice(0, 16),
    prefix: mac(utf8("hf1 secret transcript")),
    outOfBand: [1, 1],
  };
}
