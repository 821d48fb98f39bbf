/** A question for the person at this screen. Answer once, by `confirm` or `reject`; no answer within a minute means no. */
export interface PairingRequest {
  /** Names this attempt; the same on both screens. */
  readonly id: string;
  /** Six digits, to be compared with those on the other screen. */
  readonly digits: string;
  /** What the other side says it is. Nothing of it is proved before both people said yes. */
  readonly peer: { readonly name: string; readonly platform: string };
  confirm(): void;
  reject(): void;
}
