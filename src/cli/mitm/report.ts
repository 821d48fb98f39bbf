/** Who plays in the demonstration. */
export type Role = "pc" | "phone" | "attacker";

/** What is attacked, and how: a look-alike without commitment; Handfast, by its rules; Handfast, with the trick that breaks the look-alike. */
export type Act = "lookAlike" | "honest" | "search";

/** What one of the three processes tells the stage. */
export type Report =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "digits"; readonly digits: string }
  /** The attacker holds the PC's digits and waits for the phone. */
  | { readonly type: "ready" }
  | { readonly type: "searched"; readonly milliseconds: number }
  | { readonly type: "refused"; readonly code: string; readonly message: string };
