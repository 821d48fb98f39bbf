import type { KeyPair } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { trafficKeys } from "#transport/keys.js";
import { PacketProtection } from "#transport/packet.js";
import { Rekey } from "#transport/rekey.js";
import { SeededRandom } from "../../simulation/seededRandom.js";
import type { Outcome } from "../stage.js";

/** What a thief holds besides the keys of the running epoch. */
interface Loot {
  /** The PC's static secret. */
  readonly staticSecret: boolean;
  /** The exporter, which only lives in the memory of the session. */
  readonly exporter: boolean;
}

/** Static keys and the bond's secret were stolen from the disk, and the running epoch is broken; the memory of the session is not. */
export function rekeyWithoutMemory(seed: number): Outcome {
  return answerRekey(seed, { staticSecret: true, exporter: false });
}

/** The memory of the session was read once; the PC's static secret was not. */
export function rekeyWithoutStatic(seed: number): Outcome {
  return answerRekey(seed, { staticSecret: false, exporter: true });
}

/** A thief answers the client's rekey in the PC's place. */
function answerRekey(seed: number, loot: Loot): Outcome {
  const { bytes } = new SeededRandom(seed);
  const [client, pc] = [nativeCrypto.x25519KeyPair(bytes(32)), nativeCrypto.x25519KeyPair(bytes(32))];
  const [psk, exporter, handshakeHash] = [bytes(32), bytes(32), bytes(32)];
  const rekey = (role: "initiator" | "responder", own: KeyPair, peerStatic: Uint8Array, known: Uint8Array): Rekey => {
    const noise = { initiatorKey: bytes(32), responderKey: bytes(32), handshakeHash, exporter: known.slice() };
    const keys = trafficKeys(nativeCrypto, role, noise);
    const protection = new PacketProtection({ keys, remoteCid: new Uint8Array(8), random: bytes });
    return new Rekey({
      ...{ crypto: nativeCrypto, random: bytes, role, own, peerStatic, psk, protection, now: 0 },
      ...{ handshakeHash, exporter: known.slice() },
    });
  };
  const honest = rekey("initiator", client, pc.public, exporter);
  const thiefKey = loot.staticSecret ? pc : { secret: bytes(32), public: pc.public };
  const thief = rekey("responder", thiefKey, client.public, loot.exporter ? exporter : new Uint8Array(32));
  honest.request();
  try {
    for (let part = honest.takeCrypto(); part; part = honest.takeCrypto()) thief.onCrypto(part);
    let answers = 0;
    for (let part = thief.takeCrypto(); part; part = thief.takeCrypto(), answers++) honest.onCrypto(part);
    return { succeeded: answers > 0, why: "the client took the new keys" };
  } catch (error) {
    return { succeeded: false, why: String(error) };
  }
}
