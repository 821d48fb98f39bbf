import type { Crypto } from "#crypto/crypto.js";
import { toHex, utf8 } from "#kernel/bytes.js";
import { Acceptor } from "#transport/acceptor.js";
import { Dial, padded } from "#transport/dial.js";
import { openInit, sealCookie, VERSION } from "#transport/handshakePackets.js";
import { trafficKeys } from "#transport/keys.js";
import type { NoiseResult } from "#transport/noiseState.js";
import { DATA_HEADER, DATA_OVERHEAD, PacketProtection } from "#transport/packet.js";
import { NO_PARAMETERS } from "#transport/params.js";
import { buildReset, resetToken } from "#transport/statelessReset.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { CLIENT, SERVER } from "./channel.js";

/** Not our defaults: those may change, these bytes may not. */
const PARAMETERS = {
  ...{ ...NO_PARAMETERS, idleMs: 30_000, maxData: 1_048_576, maxStreamsBidi: 128, maxDatagram: 1_200 },
  versions: [VERSION],
};

export interface DatagramVector {
  readonly name: string;
  /** What went into it, as far as a second implementation needs it. */
  readonly given: Readonly<Record<string, string>>;
  readonly hex: string;
}

/** One datagram of every kind of PROTOCOL.md §1, from fixed keys: the same bytes in every version of this protocol. */
export function makeDatagrams(crypto: Crypto): readonly DatagramVector[] {
  const random = new SeededRandom(0x48460001).bytes;
  const server = crypto.x25519KeyPair(random(32));
  const client = crypto.x25519KeyPair(random(32));
  const psk = random(32);
  const resetKey = random(32);
  const scid = random(8);
  const keys = {
    "server static secret": toHex(server.secret),
    "client static secret": toHex(client.secret),
    psk: toHex(psk),
  };
  const dial = new Dial({
    ...{ crypto, random, own: client, peerStatic: server.public, psk, to: [SERVER] },
    ...{ scid, parameters: PARAMETERS, now: 0 },
  });
  const init = dial.nextDatagram(0)?.bytes ?? new Uint8Array();
  const acceptor = new Acceptor({
    ...{ crypto, random, own: server, parameters: () => PARAMETERS, resetKey, now: 0 },
    ...{ lookup: () => ({ psk, id: "client" }), newCid: () => random(8), halfOpen: () => 0 },
  });
  const { reply, accepted } = acceptor.receive(init, CLIENT, 0);
  const opened = openInit(crypto, server.public, init);
  if (!reply || !accepted || !opened) throw new Error("the handshake of the vectors failed");
  const cookie = sealCookie(crypto, server.public, opened, random(16), random);
  const token = resetToken(crypto, resetKey, accepted.localCid);
  const given = { ...keys, "initiator key": toHex(accepted.noise.initiatorKey) };
  return [
    { name: "Init", given: keys, hex: toHex(init) },
    { name: "Response", given: keys, hex: toHex(reply) },
    { name: "Cookie", given: keys, hex: toHex(cookie) },
    {
      name: "Reset",
      given: { "reset key": toHex(resetKey), "connection ID": toHex(accepted.localCid) },
      hex: toHex(buildReset(token, 1200, random) ?? new Uint8Array()),
    },
    ...dataPackets(crypto, accepted.noise, accepted.localCid, given),
  ];
}

function dataPackets(
  crypto: Crypto,
  noise: NoiseResult,
  cid: Uint8Array,
  given: Readonly<Record<string, string>>,
): DatagramVector[] {
  const random = new SeededRandom(2).bytes;
  const copy = (): NoiseResult => ({
    ...noise,
    initiatorKey: noise.initiatorKey.slice(),
    responderKey: noise.responderKey.slice(),
  });
  const protection = new PacketProtection({ keys: trafficKeys(crypto, "initiator", copy()), remoteCid: cid, random });
  const vector = (number: number, payload: Uint8Array): DatagramVector => {
    const out = new Uint8Array(payload.length + DATA_OVERHEAD);
    out.set(payload, DATA_HEADER);
    const epoch = protection.sendEpoch;
    protection.seal(out, 0, payload.length, number);
    const facts = { ...given, epoch: `${epoch}`, "packet number": `${number}`, frames: toHex(payload) };
    return { name: `Data, epoch ${epoch}, packet ${number}`, given: facts, hex: toHex(out) };
  };
  const ping = padded(Uint8Array.of(1), 15);
  const stream = new Uint8Array([0x0b, 0x00, 0x05, ...utf8("hello"), ...new Uint8Array(12)]);
  const packets = [vector(0, ping), vector(1, stream), vector(2 ** 32 + 7, ping)];
  // The second epoch's keys are the first's, swapped: a rekey makes fresh ones, but these can be written down.
  const swapped = { ...copy(), initiatorKey: noise.responderKey.slice(), responderKey: noise.initiatorKey.slice() };
  protection.installNext(trafficKeys(crypto, "initiator", swapped));
  protection.sendInNext();
  return [...packets, vector(2 ** 32 + 8, ping)];
}
