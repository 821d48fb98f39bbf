import type { WayName } from "./pairingWay.js";

/** The lines of `--json`: one object each, on standard output. Their names are a promise to programs. */
export type CliEvent =
  | {
      readonly event: "listening";
      readonly port: number;
      readonly addresses: readonly string[];
      readonly device: string;
      readonly name: string;
    }
  | { readonly event: "pairing-open"; readonly seconds: number; readonly method: WayName }
  /** To be shown to the person who types them on the other device. */
  | { readonly event: "pairing-code"; readonly letters: string }
  /** To be shown to the person who scans it. A secret until it is used. */
  | { readonly event: "pairing-link"; readonly link: string }
  | { readonly event: "pairing-closed"; readonly reason: string }
  | {
      readonly event: "found";
      readonly name: string | null;
      readonly address: string;
      readonly port: number;
      readonly pairing: boolean;
      /** Set when the device is one that this one has paired with. */
      readonly device: string | null;
    }
  | {
      readonly event: "pairing";
      readonly id: string;
      readonly digits: string;
      readonly peer: string;
      readonly platform: string;
      /** The paired device whose name looks the same. */
      readonly resembles: string | null;
    }
  | {
      readonly event: "pairing-approval";
      readonly id: string;
      readonly method: "code" | "link";
      readonly peer: string;
      readonly platform: string;
      readonly resembles: string | null;
    }
  | {
      readonly event: "code-wanted";
      readonly id: string;
      readonly peer: string;
      readonly platform: string;
      readonly resembles: string | null;
      /** What was typed before cannot be such letters. */
      readonly again: boolean;
    }
  /** A question: letters all the same, although ten tries in a row have failed? */
  | { readonly event: "insist-wanted" }
  /** The PC takes this try only in so many seconds, because of earlier failures. */
  | { readonly event: "pairing-wait"; readonly seconds: number }
  | { readonly event: "pairing-failed"; readonly id: string; readonly peer: string; readonly code: string }
  | { readonly event: "paired"; readonly device: string; readonly name: string }
  | {
      readonly event: "connected";
      readonly device: string;
      readonly name: string;
      readonly address: string;
      readonly port: number;
    }
  | { readonly event: "disconnected"; readonly device: string; readonly name: string; readonly reason: string }
  | { readonly event: "waiting"; readonly device: string; readonly name: string; readonly seconds: number }
  | { readonly event: "rekeyed"; readonly device: string; readonly epoch: number }
  | {
      readonly event: "progress";
      readonly device: string;
      readonly files: number;
      readonly totalFiles: number;
      readonly bytes: number;
      readonly totalBytes: number;
    }
  | { readonly event: "file"; readonly device: string; readonly path: string; readonly direction: "sent" | "received" }
  | {
      readonly event: "synced";
      readonly device: string;
      readonly files: number;
      readonly bytes: number;
      readonly sent: number;
      readonly received: number;
      readonly seconds: number;
    }
  | { readonly event: "conflict"; readonly path: string; readonly copy: string }
  | { readonly event: "skipped"; readonly path: string; readonly reason: string }
  | { readonly event: "paused"; readonly reason: string }
  | { readonly event: "resumed" }
  | { readonly event: "device"; readonly device: string; readonly name: string; readonly [field: string]: unknown }
  | { readonly event: "forgotten"; readonly device: string; readonly name: string }
  | { readonly event: "status"; readonly [field: string]: unknown }
  | { readonly event: "check"; readonly name: string; readonly result: "ok" | "warn" | "fail"; readonly text: string }
  | { readonly event: "step"; readonly name: string; readonly text: string }
  | { readonly event: "error"; readonly code: string; readonly message: string };
