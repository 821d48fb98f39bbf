import { inspect } from "node:util";
import type { Crypto } from "#crypto/crypto.js";
import { nativeCrypto } from "#crypto/native.node.js";
import { toHex } from "#kernel/bytes.js";
import type { ResponderMethod } from "#pairing/invitation.js";
import { TYPE } from "#pairing/messages.js";
import { SeededRandom } from "../simulation/seededRandom.js";
import { PC, PHONE } from "../support/pairing.js";
import { Stage } from "./stage.js";

export interface FuzzResult {
  readonly messages: number;
  readonly bonds: number;
  /** How often a secret was found in an error or in what a machine prints. */
  readonly leaks: number;
}

const PER_RUN = 400;
/** A pairing is held before this message leaves, so that it stays in the state before it; ABORT: it runs on. */
const HOLD: readonly number[] = [
  ...[TYPE.RETRY, TYPE.START, TYPE.OFFER, TYPE.NONCE, TYPE.REVEAL],
  ...[TYPE.CHECK, TYPE.CHECKED, TYPE.IDENT, TYPE.IDENTIFIED, TYPE.COMMIT, TYPE.COMMITTED],
];
const METHODS: readonly ResponderMethod[] = [
  { kind: "compare" },
  { kind: "code" },
  { kind: "link", addresses: [PC] },
  { kind: "secret", secret: new Uint8Array(32).fill(7) },
];

/** Throws mutated messages, most with the right attempt's number, at both sides in every state of a pairing. */
export function mutateEverything(messages: number, seed: number): FuzzResult {
  const random = new SeededRandom(seed);
  const corpora = METHODS.map((method) => recordedBytes(seed, method));
  let [thrown, bonds, leaks] = [0, 0, 0];
  for (let run = 0; thrown < messages; run++) {
    const secrets: Uint8Array[] = [];
    const way = run % METHODS.length;
    const [method, corpus] = [METHODS[way], corpora[way]];
    if (!method || !corpus) continue;
    const stage = new Stage({ seed: seed + run, crypto: remembering(secrets), method });
    const hold = HOLD[run % HOLD.length];
    stage.wire.intercept(({ bytes }) => (bytes[2] === hold ? "drop" : undefined));
    const phone = stage.world.start();
    stage.wait(
      hold === TYPE.CHECKED || hold === TYPE.IDENT || hold === TYPE.IDENTIFIED ? 5500 : 20 + random.integer(2600),
    );
    const pid = stage.wire.seen[0]?.bytes.slice(4, 12) ?? new Uint8Array(8);
    for (let i = 0; i < PER_RUN; i++, thrown++) {
      const bytes = mutated(corpus, pid, random);
      if (random.chance(0.5)) stage.world.pcPump.receive(bytes, PHONE);
      else phone.pump.receive(bytes, PC);
    }
    stage.wait(1000);
    // What is held never arrives, so a bond was made by a mutation. Not every way has every message, and IDENTIFIED comes after the bond.
    if (hold !== TYPE.IDENTIFIED && stage.wire.seen.some(({ bytes }) => bytes[2] === hold)) bonds += stage.bonds;
    const printed = [phone.outcome, stage.world.pcOutcome].map((event) =>
      event?.type === "failed" ? event.error : "",
    );
    const shown = inspect([printed, phone.initiator, stage.world.responder], { depth: 9, showHidden: true });
    for (const secret of secrets)
      if (shown.includes(toHex(secret)) || shown.includes([...secret.subarray(0, 6)].join(", "))) leaks++;
  }
  return { messages: thrown, bonds, leaks };
}

/** Every datagram of one good pairing. */
function recordedBytes(seed: number, method: ResponderMethod): Uint8Array[] {
  const stage = new Stage({ seed, method });
  stage.world.run();
  return stage.wire.seen.map(({ bytes }) => bytes);
}

function remembering(secrets: Uint8Array[]): Crypto {
  return {
    ...nativeCrypto,
    p256KeyPair(secret) {
      secrets.push(secret.slice());
      return nativeCrypto.p256KeyPair(secret);
    },
    p256SharedSecret(own, peer) {
      const shared = nativeCrypto.p256SharedSecret(own, peer);
      if (shared) secrets.push(shared.slice());
      return shared;
    },
  };
}

function mutated(corpus: readonly Uint8Array[], pid: Uint8Array, random: SeededRandom): Uint8Array {
  const pick = (): Uint8Array => corpus[random.integer(corpus.length)] ?? pid;
  let bytes = pick().slice();
  if (random.chance(0.9)) bytes.set(pid, 4);
  for (let edits = random.integer(4); edits >= 0; edits--) {
    const at = random.integer(bytes.length + 1);
    switch (random.integer(6)) {
      case 0:
        bytes[at % Math.max(1, bytes.length)] = random.integer(256);
        break;
      case 1:
        bytes = bytes.slice(0, at);
        break;
      case 2:
        bytes = Uint8Array.of(...bytes.subarray(0, at), ...random.bytes(1 + random.integer(9)), ...bytes.subarray(at));
        break;
      case 3:
        bytes = Uint8Array.of(...bytes.subarray(0, at), ...pick().subarray(at));
        break;
      case 4:
        if (bytes.length > 12) bytes[12] = random.integer(7); // the step
        break;
      default:
        if (bytes.length > 12) bytes[2] = random.integer(14); // the type
    }
  }
  return bytes;
}
