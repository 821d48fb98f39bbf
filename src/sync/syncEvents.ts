import type { RelativePath } from "./relativePath.js";

/** How far the files of one round are; the same on both sides. */
export interface SyncProgress {
  readonly files: number;
  readonly totalFiles: number;
  readonly bytes: number;
  readonly totalBytes: number;
  /** The file that made the last step. */
  readonly path: string;
}

/** What a person or a program may want to know while a folder is synced. */
export type SyncEvent =
  | ({ readonly type: "progress" } & SyncProgress)
  | { readonly type: "received" | "sent"; readonly path: RelativePath; readonly bytes: number }
  | { readonly type: "conflict"; readonly path: RelativePath; readonly copy: RelativePath }
  | { readonly type: "skipped"; readonly path: string; readonly reason: string }
  /** A disk is full; it goes on by itself. */
  | { readonly type: "paused"; readonly reason: string }
  | { readonly type: "resumed" }
  /** Both sides have what they should have. Counts are of files since the last time; `files` and `bytes` of the whole folder. */
  | {
      readonly type: "synced";
      readonly files: number;
      readonly bytes: number;
      readonly sent: number;
      readonly received: number;
    };
