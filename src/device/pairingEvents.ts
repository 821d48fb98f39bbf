import type { Bond } from "#bonds/bond.js";
import type { HandfastError } from "#kernel/errors.js";
import { looksLike } from "#pairing/deviceName.js";
import type { PairingError } from "#pairing/reasons.js";

/** Who wants to pair, as it says itself. Nothing of it is proved before both people said yes. */
export interface PairingPeer {
  readonly name: string;
  readonly platform: string;
  /** A device we already know whose name looks the same: pairing makes a second device, or replaces it only if it is the same one. */
  readonly resembles?: string;
}

interface Question {
  /** Names this attempt; the same on both screens. */
  readonly id: string;
  readonly peer: PairingPeer;
  confirm(): void;
  reject(): void;
}

/** Numeric comparison: are the digits the same? Answer once, by `confirm` or `reject`; no answer within a minute means no. */
export interface PairingRequest extends Question {
  readonly method: "compare";
  /** Six digits, to be compared with those on the other screen. */
  readonly digits: string;
}

/** Somebody typed the letters or used the link that this screen shows: may that device come in? Answered like a PairingRequest. */
export interface ApprovalRequest extends Question {
  readonly method: "code" | "link";
}

/** How a window lets devices in. A secret is one that both sides were given by somebody they trust. */
export type PairingWindowMethod = "compare" | "code" | "link" | "secret";

/** The first known device whose name could be taken for this one. */
export function resembling(name: string, bonds: readonly Bond[]): { readonly resembles?: string } {
  const other = bonds.find((bond) => looksLike(bond.name, name));
  return other ? { resembles: other.name } : {};
}

/** What a device tells that strangers may try to pair with. */
export interface PairingEvents {
  /** Somebody wants to pair; digits are on both screens. */
  pairing: readonly [PairingRequest];
  /** Somebody knew the letters or the link; the person here has the last word. */
  pairingApproval: readonly [ApprovalRequest];
  /** Show these five letters, to be typed on the client. They replace those before, and end with the window. */
  pairingCode: readonly [{ readonly letters: string }];
  /** Show this link, as text or as a QR code, where only the right person sees it. It replaces the one before, and ends with the window. */
  pairingLink: readonly [{ readonly link: string }];
  pairingFailed: readonly [{ readonly id: string; readonly peerName: string; readonly error: PairingError }];
  pairingWindow: readonly [
    {
      readonly open: boolean;
      readonly seconds: number;
      readonly reason: string;
      /** Of a window that opens. */
      readonly method?: PairingWindowMethod;
    },
  ];
  error: readonly [HandfastError];
}
