import type { Crypto } from "#crypto/crypto.js";
import type { RandomSource } from "#kernel/ports.js";
import type { Conversation, PairingIdentity } from "./exchange.js";
import { ioCapOf, type Model, traitsOf } from "./models.js";
import { holders, type OutOfBand, transcriptPrefix } from "./outOfBand.js";

/** What does not change during one attempt, on either side. */
export interface AttemptContext {
  readonly crypto: Crypto;
  readonly random: RandomSource;
  readonly identity: PairingIdentity;
  readonly pid: Uint8Array;
  readonly id: string;
  readonly model: Model;
  readonly outOfBand: OutOfBand | undefined;
}

/** All that the keys will be made of. */
export function conversation(
  { crypto, pid, model, outOfBand }: AttemptContext,
  { featuresA, featuresB, transcript }: Pick<Conversation, "featuresA" | "featuresB" | "transcript">,
  values: Pick<Conversation, "na" | "nb" | "ra" | "rb">,
): Conversation {
  const { ioInitiator, ioResponder } = traitsOf(model);
  const held = outOfBand ? holders(outOfBand) : { initiator: false, responder: false };
  return {
    ...{ pid, featuresA, featuresB, transcript, ...values },
    ioCapA: ioCapOf(ioInitiator, held.initiator),
    ioCapB: ioCapOf(ioResponder, held.responder),
    prefix: outOfBand ? transcriptPrefix(crypto, outOfBand) : new Uint8Array(0),
  };
}
