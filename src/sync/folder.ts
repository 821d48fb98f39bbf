import { HandfastError } from "#kernel/errors.js";
import type { LocalStat } from "./folderIndex.js";
import type { RelativePath } from "./relativePath.js";

export interface FileStat extends LocalStat {
  /** Undefined where the system knows no such thing. */
  readonly executable: boolean | undefined;
}

/** A file found on disk, before anything is known of its content. */
export interface FoundFile {
  readonly path: RelativePath;
  readonly stat: FileStat;
}

/** Something that cannot be synced, and why, in words. */
export interface Skipped {
  readonly path: string;
  readonly reason: string;
}

/** A file being read. */
export interface FileReader {
  /** Up to `length` bytes; fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** How the file looks now: changed while it was read? */
  stat(): Promise<FileStat>;
  close(): Promise<void>;
}

/** A file being received: invisible until it is committed. */
export interface Incoming {
  write(bytes: Uint8Array): Promise<void>;
  /** Forgets what was written. */
  restart(): Promise<void>;
  /** SHA-256 of what was written. */
  digest(): Uint8Array;
  /** Durable, then visible, in one step; what was there before goes to the trash. Returns how it looks now. */
  commit(meta: { readonly mtimeMs: number; readonly executable: boolean }): Promise<FileStat>;
  discard(): Promise<void>;
}

/**
 * A folder on disk; `folder.node.ts` is the one on Node. Nothing here follows a symbolic link.
 * Methods throw FolderError, or the system's error for this one file.
 */
export interface Folder {
  /** Names that differ only in case are the same file here. */
  readonly ignoresCase: boolean;
  /** Every file below the root. Unusable names and unreadable places go to `onSkipped`; the rest goes on. */
  scan(onSkipped: (skipped: Skipped) => void): AsyncIterable<FoundFile>;
  /** Undefined when there is no file. */
  stat(path: RelativePath): Promise<FileStat | undefined>;
  /** SHA-256 of the content; undefined when it changed meanwhile or is gone. */
  hash(path: RelativePath): Promise<{ readonly hash: Uint8Array; readonly stat: FileStat } | undefined>;
  /** Undefined when there is no file. */
  open(path: RelativePath): Promise<FileReader | undefined>;
  /** `size`: bytes that will come. */
  receive(path: RelativePath, size: number): Promise<Incoming>;
  /** Moves a file to the trash, and takes away the folders that this leaves empty. */
  trash(path: RelativePath): Promise<void>;
  /** Our own folder is still in it: the disk is there, even when nothing else is. */
  isOurs(): Promise<boolean>;
  /** Makes our own folder, if this one may be written to. */
  claim(): Promise<void>;
  /** Moves a file of ours to another name that is free. */
  rename(from: RelativePath, to: RelativePath): Promise<void>;
}

export type FolderErrorCode =
  | "FOLDER_MISSING"
  | "FOLDER_NOT_A_DIRECTORY"
  | "FOLDER_UNREADABLE"
  | "FOLDER_VANISHED"
  | "FOLDER_UNSAFE"
  | "FOLDER_IN_THE_WAY"
  | "FILE_CHANGING"
  | "DISK_FULL";

/** The shared folder, or something in it, cannot be used. */
export class FolderError extends HandfastError {
  override readonly name = "FolderError";
  declare readonly code: FolderErrorCode;
  /** FOLDER_IN_THE_WAY: what is there although something else should be. */
  readonly blocker: RelativePath | undefined;
  constructor(
    code: FolderErrorCode,
    message: string,
    options?: ErrorOptions & { readonly blocker?: RelativePath | undefined },
  ) {
    super(code, message, options);
    this.blocker = options?.blocker;
  }
}
