import type { Crypto } from "#crypto/crypto.js";
import { toHex } from "#kernel/bytes.js";
import type { MethodKind } from "#pairing/invitation.js";
import { decodeMessage, TYPE_NAMES } from "#pairing/messages.js";
import { StagedPairing } from "./pairingStages.js";

/** A whole pairing in bytes, with all that a second implementation needs to recompute it. Byte strings in hex. */
export interface PairingVector {
  readonly way: MethodKind;
  readonly given: Readonly<Record<string, string>>;
  /** In the order in which they travel; repeats, POLL and WAIT do not count for the keys. */
  readonly datagrams: readonly { readonly name: string; readonly hex: string }[];
  readonly bondId: string;
  readonly bondSecret: string;
}

const NAMES: readonly [string, string] = ["Ana's phone", "Ana's PC"];

/** One pairing in each way, from a fixed seed: the same bytes in every version of this protocol. */
export function makePairings(crypto: Crypto): readonly PairingVector[] {
  return (["compare", "code", "link", "secret"] as const).map((way, index) =>
    makePairing(crypto, way, 0x48460100 + index),
  );
}

function makePairing(crypto: Crypto, method: MethodKind, seed: number): PairingVector {
  const secrets = new Map<string, string>();
  const watched: Crypto = {
    ...crypto,
    p256KeyPair: (secret) => {
      const pair = crypto.p256KeyPair(secret);
      // Copied now: the machines wipe it.
      if (pair) secrets.set(toHex(pair.public), toHex(secret));
      return pair;
    },
  };
  const pairing = new StagedPairing({ seed, method, crypto: watched, names: NAMES }).runAll();
  const messages = pairing.sent.map(({ bytes }) => ({ bytes, message: decodeMessage(bytes) }));
  const keyIn = (type: number): string => {
    const found = messages.find(({ message }) => message?.type === type)?.message;
    return secrets.get(found && "publicKey" in found ? toHex(found.publicKey) : "") ?? "";
  };
  const { initiator: onInitiator, responder: onResponder } = pairing.bonds;
  if (!onInitiator || !onResponder) throw new Error("the pairing of the vectors failed");
  return {
    way: method,
    given: {
      "initiator P-256 secret": keyIn(2),
      "responder P-256 secret": keyIn(3),
      "initiator static public": toHex(onResponder.staticPublic),
      "responder static public": toHex(onInitiator.staticPublic),
      "initiator IRK": toHex(onResponder.irk),
      "responder IRK": toHex(onInitiator.irk),
      ...(method === "code" && { letters: pairing.shown("letters") }),
      ...(method === "link" && { link: pairing.shown("link") }),
      ...(method === "secret" && { secret: toHex(pairing.secret) }),
    },
    datagrams: messages.map(({ bytes, message }) => ({
      name: TYPE_NAMES[message?.type ?? 12] ?? "",
      hex: toHex(bytes),
    })),
    bondId: toHex(onInitiator.bondId),
    bondSecret: toHex(onInitiator.psk),
  };
}
