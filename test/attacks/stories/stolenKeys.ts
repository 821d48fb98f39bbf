import { nativeCrypto } from "#crypto/native.node.js";
import { trafficKeys } from "#transport/keys.js";
import { DATA_HEADER, DATA_OVERHEAD, PacketProtection } from "#transport/packet.js";
import { Rekey } from "#transport/rekey.js";
import { REKEY_LIMITS } from "#transport/rekeyLimits.js";
import { SeededRandom } from "../../simulation/seededRandom.js";
import { ChannelWorld, CLIENT, SERVER } from "../../support/channel.js";
import { HostileClient } from "../../support/hostile.js";
import type { Outcome } from "../stage.js";

// Attacks by somebody who has stolen keys, or makes others use theirs for too long.

const EMPTY = new Uint8Array(0);

/** An honest receiver with the keys of two epochs, and a thief who still has those of the first. */
function afterRekey(seed: number): { readonly honest: PacketProtection; readonly steal: (number: number) => Outcome } {
  const { bytes } = new SeededRandom(seed);
  const noise = () => ({
    ...{ initiatorKey: bytes(32), responderKey: bytes(32) },
    ...{ handshakeHash: bytes(32), exporter: bytes(32) },
  });
  const [old, fresh] = [noise(), noise()];
  // The secrets are overwritten when the keys are made of them.
  const keys = (role: "initiator" | "responder", { initiatorKey, responderKey, ...rest }: typeof old) =>
    trafficKeys(nativeCrypto, role, {
      ...rest,
      initiatorKey: initiatorKey.slice(),
      responderKey: responderKey.slice(),
    });
  const protection = (role: "initiator" | "responder"): PacketProtection =>
    new PacketProtection({ keys: keys(role, old), remoteCid: bytes(8), random: bytes });
  const honest = protection("responder");
  const [peer, thief] = [protection("initiator"), protection("initiator")];
  honest.installNext(keys("responder", fresh));
  peer.installNext(keys("initiator", fresh));
  peer.sendInNext();
  honest.open(sealed(peer, 10));
  honest.promote();
  const steal = (number: number): Outcome => {
    try {
      const opened = honest.open(sealed(thief, number));
      return { succeeded: opened !== undefined, why: opened ? "it was read" : "it was dropped" };
    } catch (error) {
      return { succeeded: false, why: String(error) };
    }
  };
  return { honest, steal };
}

function sealed(by: PacketProtection, number: number): Uint8Array {
  const out = new Uint8Array(20 + DATA_OVERHEAD);
  out[DATA_HEADER] = 1;
  by.seal(out, 0, 20, number);
  return out;
}

/** A new packet under the old keys. */
export const oldKeysGoOn = (seed: number): Outcome => afterRekey(seed).steal(50);

/** A late packet under keys whose time is over. */
export function oldKeysForEver(seed: number): Outcome {
  const { honest, steal } = afterRekey(seed);
  honest.erasePrevious();
  return steal(5);
}

/** The same nonce for the second time. */
export function wrapNumbers(seed: number): Outcome {
  const { honest } = afterRekey(seed);
  try {
    sealed(honest, 2 ** 48);
    return { succeeded: true, why: "it was sealed" };
  } catch (error) {
    return { succeeded: false, why: String(error) };
  }
}

/** A rekey between an honest end and a thief who has read the session's memory. */
function rekeying(seed: number, thiefHasBond: boolean) {
  const { bytes } = new SeededRandom(seed);
  const key = () => nativeCrypto.x25519KeyPair(bytes(32));
  const [client, server, thief] = [key(), key(), key()];
  const [psk, exporter, handshakeHash] = [bytes(32), bytes(32), bytes(32)];
  const end = (
    role: "initiator" | "responder",
    own: typeof client,
    peerStatic: Uint8Array,
    bond: Uint8Array,
  ): Rekey => {
    const noise = { initiatorKey: bytes(32), responderKey: bytes(32), handshakeHash, exporter };
    const keys = trafficKeys(nativeCrypto, role, noise);
    const protection = new PacketProtection({ keys, remoteCid: new Uint8Array(8), random: bytes });
    return new Rekey({
      ...{ crypto: nativeCrypto, random: bytes, role, own, peerStatic, psk: bond, protection, now: 0 },
      ...{ handshakeHash, exporter: exporter.slice() },
    });
  };
  return { end, client, server, thief, psk, bond: thiefHasBond ? psk : bytes(32) };
}

function exchange(from: Rekey, to: Rekey): Outcome {
  from.request();
  try {
    for (let part = from.takeCrypto(); part; part = from.takeCrypto()) to.onCrypto(part);
    let answers = 0;
    for (let part = to.takeCrypto(); part; part = to.takeCrypto(), answers++) from.onCrypto(part);
    return { succeeded: answers > 0, why: "both have the new keys" };
  } catch (error) {
    return { succeeded: false, why: String(error) };
  }
}

/** The thief renews the keys under a static key of his own. */
export function rekeyAsSomebodyElse(seed: number): Outcome {
  const { end, client, server, thief, psk, bond } = rekeying(seed, true);
  return exchange(end("initiator", thief, server.public, bond), end("responder", server, client.public, psk));
}

/** The thief has the server's static key and the session's memory, but not the bond. */
export function rekeyWithoutBond(seed: number): Outcome {
  const { end, client, server, psk, bond } = rekeying(seed, false);
  return exchange(end("initiator", client, server.public, psk), end("responder", server, client.public, bond));
}

/**
 * How often an end renews its keys with a peer that has all the time of the world, while its own clock shows `now`:
 * each time costs it five Diffie-Hellmans.
 */
export function renewals(seed: number, honestRole: "initiator" | "responder", times: readonly number[]): number {
  const { end, client, server, psk } = rekeying(seed, true);
  const initiator = end("initiator", client, server.public, psk);
  const responder = end("responder", server, client.public, psk);
  const [honest, hostile] = honestRole === "initiator" ? [initiator, responder] : [responder, initiator];
  let peerNow = 0;
  let done = 0;
  const pass = (): void => {
    for (let part = initiator.takeCrypto(); part; part = initiator.takeCrypto()) responder.onCrypto(part);
    for (let part = responder.takeCrypto(); part; part = responder.takeCrypto()) {
      initiator.onCrypto(part);
      done++;
    }
  };
  for (const now of times) {
    peerNow += 2000;
    hostile.tick(peerNow);
    honest.tick(now);
    const before = done;
    if (honestRole === "initiator") honest.onRekeyRequest(done + 1);
    else hostile.request();
    pass();
    if (done === before) continue;
    for (const [rekey, at] of [
      [responder, responder === honest ? now : peerNow],
      [initiator, initiator === honest ? now : peerNow],
    ] as const) {
      rekey.onPacketOpened(done, 44, at, 0);
      rekey.tick(at);
    }
  }
  return done;
}

/** Asks for fresh keys again and again, because they cost the other end more than the asking. */
export function renewOnAndOn(seed: number): Outcome {
  const moment = Array<number>(60).fill(0);
  const done = renewals(seed, "responder", moment);
  return { succeeded: done > 16, why: `${done} renewals at once` };
}

export function requestOnAndOn(seed: number): Outcome {
  const moment = Array<number>(60).fill(0);
  const done = renewals(seed, "initiator", moment);
  return { succeeded: done > 16, why: `${done} renewals at once` };
}

/** Whoever suppresses the renewal of keys has the old ones used on and on. */
export async function suppressRekey(seed: number): Promise<Outcome> {
  const rekeyLimits = { ...REKEY_LIMITS, hardPackets: 60 };
  const peer = new HostileClient(new ChannelWorld({ seed, endpoint: { rekeyLimits } }));
  const stream = await peer.victim.openStream();
  void stream.write(new Uint8Array(500_000)).catch(() => {});
  peer.drain();
  for (let i = 0; i < 200; i++) {
    peer.acknowledge();
    peer.wait(5);
  }
  let told = 0;
  for (const seen of peer.seen) if (seen.kind === "stream") told += seen.data.length;
  return { succeeded: told > 100_000, why: `${told} bytes were sent` };
}

/** Forgeries without end under one key. */
export function forgeOnAndOn(seed: number): Outcome {
  const rekeyLimits = { ...REKEY_LIMITS, hardForged: 50 };
  const world = new ChannelWorld({ seed, endpoint: { rekeyLimits } });
  const peer = new HostileClient(world);
  const forged = peer.seal(999, EMPTY);
  for (let i = 0; i < 60; i++) {
    const bytes = forged.slice();
    bytes[20] = (bytes[20] ?? 0) ^ (1 + i);
    world.server.endpoint.receive(bytes, CLIENT, peer.now);
  }
  peer.drain();
  const code = peer.victim.closeInfo?.error?.code;
  return { succeeded: code === undefined, why: code ?? "it goes on" };
}

/** A connection ID that was seen once is good for forgeries that cost a decryption each, for ever. */
export async function forgeToOneId(seed: number): Promise<Outcome> {
  const rekeyLimits = { ...REKEY_LIMITS, softForged: 20 };
  const world = new ChannelWorld({ seed, endpoint: { rekeyLimits } });
  let seen = EMPTY;
  world.network.tap = (bytes, from) => {
    if (from.host === CLIENT.host && (bytes[0] ?? 0) >> 6 === 1 && seen.length === 0) seen = bytes.slice();
    return [bytes];
  };
  const { client } = await world.connected();
  await world.clock.runUntilAsync(() => false, 50);
  for (let i = 0; i < 400; i++) {
    const bytes = seen.slice();
    // The epoch can be seen on the wire.
    bytes[0] = 0x40 | ((client.stats().epoch & 3) << 4);
    // Another number each time: a duplicate costs no decryption.
    bytes.set(world.random.bytes(30), 13);
    world.network.inject(bytes, CLIENT, SERVER);
    await world.clock.runUntilAsync(() => false, 5);
  }
  const { forged } = world.server.endpoint.drops;
  return { succeeded: forged > 100 || client.closeInfo !== undefined, why: `${forged} decryptions` };
}
