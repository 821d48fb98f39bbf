import { STEP } from "./messages.js";

/** Association models, as bits in the features. Which one is used a person decides, on each device by itself. PROTOCOL.md §2. */
export const MODEL = { numeric: 1, passkey: 2, outOfBand: 4 } as const;
export type Model = (typeof MODEL)[keyof typeof MODEL];

export const PASSKEY_ROUNDS = 20;
/** For each question to a person. */
export const USER_MS = 60_000;

/** Bonding, MITM protection and LE Secure Connections: SMP's AuthReq byte. */
const AUTH_REQ = 0x0d;
/** SMP's IO capabilities, Core Spec Vol 3 Part H §2.3.2. */
const DISPLAY_YES_NO = 1;
const KEYBOARD_ONLY = 2;

/** What a model fixes for both sides. */
export interface ModelTraits {
  readonly ioInitiator: number;
  readonly ioResponder: number;
  /** `seq` of CHECK; IDENT has the next one. */
  readonly checkSeq: number;
}

const TRAITS: Record<Model, ModelTraits> = {
  [MODEL.numeric]: { ioInitiator: DISPLAY_YES_NO, ioResponder: DISPLAY_YES_NO, checkSeq: STEP.check },
  [MODEL.passkey]: {
    ioInitiator: KEYBOARD_ONLY,
    ioResponder: DISPLAY_YES_NO,
    checkSeq: STEP.nonce + 2 * PASSKEY_ROUNDS,
  },
  [MODEL.outOfBand]: { ioInitiator: DISPLAY_YES_NO, ioResponder: DISPLAY_YES_NO, checkSeq: STEP.check },
};

export function traitsOf(model: Model): ModelTraits {
  return TRAITS[model];
}

/** f6's IOcap: AuthReq, whether this side has out-of-band data, IO capability. */
export function ioCapOf(io: number, outOfBand: boolean): Uint8Array {
  return Uint8Array.of(AUTH_REQ, outOfBand ? 1 : 0, io);
}
