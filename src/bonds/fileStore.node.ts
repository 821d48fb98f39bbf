import { createHash } from "node:crypto";
import { chmod, lstat, mkdir, readFile, unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { RandomSource } from "#kernel/ports.js";
import { errorCode, type FileSteps, ignoreMissing, REAL_STEPS, writeAtomically } from "./atomicFile.node.js";
import type { Bond, Tombstone } from "./bond.js";
import { type Book, EMPTY_BOOK, withBond, withoutBond, withTombstone, withUpdate } from "./book.js";
import {
  ATTEMPTS_FILE,
  BONDS_FILE,
  corrupt,
  decodeState,
  encodeState,
  IDENTITY_FILE,
  MAX_STATE_BYTES,
  type StateFile,
} from "./files.js";
import { lockDirectory } from "./lock.node.js";
import { type BondStore, type DeviceIdentity, freshIdentity, StateError, type StoredAttempts } from "./store.js";

export interface FileStoreOptions {
  /** Made with mode 0700 when it is missing. */
  readonly directory: string;
  readonly random: RandomSource;
  /** For tests. */
  readonly steps?: FileSteps;
}

interface State {
  identity: DeviceIdentity;
  book: Book;
  attempts: StoredAttempts;
}

/** The state directory of PROTOCOL.md §1. */
export class FileBondStore implements BondStore {
  readonly #directory: string;
  readonly #steps: FileSteps;
  readonly #state: State;
  readonly #unlock: () => Promise<void>;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(directory: string, steps: FileSteps, state: State, unlock: () => Promise<void>) {
    this.#directory = directory;
    this.#steps = steps;
    this.#state = state;
    this.#unlock = unlock;
  }

  /** Locks and reads the directory; the first time makes the identity. @throws StateError */
  static async open(options: FileStoreOptions): Promise<FileBondStore> {
    const directory = resolve(options.directory);
    const steps = options.steps ?? REAL_STEPS;
    return await systemErrors(directory, async () => {
      await prepareDirectory(directory);
      const unlock = await lockDirectory(directory);
      try {
        await removeLeftovers(directory);
        const state = (await readState(directory)) ?? (await firstState(directory, options.random, steps));
        return new FileBondStore(directory, steps, state, unlock);
      } catch (error) {
        await unlock();
        throw error;
      }
    });
  }

  identity(): DeviceIdentity {
    return this.#state.identity;
  }

  bonds(): readonly Bond[] {
    return this.#state.book.bonds;
  }

  tombstones(): readonly Tombstone[] {
    return this.#state.book.tombstones;
  }

  attempts(): StoredAttempts {
    return this.#state.attempts;
  }

  setName(name: string): Promise<void> {
    return this.#serially(async () => {
      const identity = { ...this.#state.identity, name };
      await this.#write(IDENTITY_FILE, identity);
      this.#state.identity = identity;
    });
  }

  put(bond: Bond): Promise<void> {
    return this.#serially(async () => {
      await this.#replaceBook(withBond(this.#state.book, bond));
    });
  }

  update(id: string, change: (bond: Bond) => Bond | undefined): Promise<Bond | undefined> {
    return this.#serially(async () => {
      const done = await this.#replaceBook(withUpdate(this.#state.book, id, change));
      return done ? this.#state.book.bonds.find((bond) => bond.id === id) : undefined;
    });
  }

  remove(id: string, wallNow: number): Promise<boolean> {
    return this.#serially(() => this.#replaceBook(withTombstone(this.#state.book, id, wallNow)));
  }

  drop(id: string): Promise<boolean> {
    return this.#serially(() => this.#replaceBook(withoutBond(this.#state.book, id)));
  }

  saveAttempts({ failures, windows }: StoredAttempts): Promise<void> {
    const attempts = { failures, windows };
    return this.#serially(async () => {
      await this.#write(ATTEMPTS_FILE, attempts);
      this.#state.attempts = attempts;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
    await this.#unlock();
  }

  async #replaceBook(book: Book | undefined): Promise<boolean> {
    if (!book) return false;
    await this.#write(BONDS_FILE, book);
    this.#state.book = book;
    return true;
  }

  #serially<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(new StateError("STATE_CLOSED", "The state directory was closed before."));
    const result = this.#queue.then(() => systemErrors(this.#directory, work));
    this.#queue = result.catch(() => {});
    return result;
  }

  #write<Value>(file: StateFile<Value>, value: Value): Promise<void> {
    return writeState(this.#directory, file, value, this.#steps);
  }
}

async function prepareDirectory(directory: string): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  // Only what this call made may be tightened: an existing directory is the person's, and asking is safer than changing.
  if (made !== undefined && process.platform !== "win32") await chmod(directory, 0o700);
  const status = await lstat(directory);
  if (!status.isDirectory()) throw corrupt(directory, "not a directory");
  refuseShared(directory, status.mode, "700");
}

function refuseShared(path: string, mode: number, wanted: string): void {
  if (process.platform === "win32" || (mode & 0o077) === 0) return;
  throw new StateError(
    "STATE_READABLE_BY_OTHERS",
    `Other users of this computer can open ${path}, which holds secrets. If nobody did, run: chmod ${wanted} '${path}'`,
  );
}

async function removeLeftovers(directory: string): Promise<void> {
  for (const { kind } of [IDENTITY_FILE, BONDS_FILE, ATTEMPTS_FILE])
    await unlink(join(directory, `.${kind}.json.tmp`)).catch(ignoreMissing);
}

/** Undefined before the first start has finished. PROTOCOL.md §4. */
async function readState(directory: string): Promise<State | undefined> {
  const [identity, book, attempts] = [
    await readStateFile(directory, IDENTITY_FILE),
    await readStateFile(directory, BONDS_FILE),
    await readStateFile(directory, ATTEMPTS_FILE),
  ];
  if (identity && book && attempts) return { identity, book, attempts };
  const used = (book && book.bonds.length + book.tombstones.length > 0) || (attempts?.windows ?? 0) > 0;
  if (identity || used) {
    const missing = !identity ? IDENTITY_FILE : !book ? BONDS_FILE : ATTEMPTS_FILE;
    throw corrupt(join(directory, `${missing.kind}.json`), "it is missing");
  }
  return undefined;
}

async function readStateFile<Value>(directory: string, file: StateFile<Value>): Promise<Value | undefined> {
  const path = join(directory, `${file.kind}.json`);
  const status = await lstat(path).catch((error: unknown) => ignoreMissing(error));
  if (!status) return undefined;
  if (!status.isFile()) throw corrupt(path, "not a plain file");
  refuseShared(path, status.mode, "600");
  if (status.size > MAX_STATE_BYTES) throw corrupt(path, "too large");
  return decodeState(file, await readFile(path, "utf8"), sha256, path);
}

/** The identity goes last: with it, the directory counts as complete. */
async function firstState(directory: string, random: RandomSource, steps: FileSteps): Promise<State> {
  const state = { identity: freshIdentity(random), book: EMPTY_BOOK, attempts: { failures: 0, windows: 0 } };
  await writeState(directory, BONDS_FILE, state.book, steps);
  await writeState(directory, ATTEMPTS_FILE, state.attempts, steps);
  await writeState(directory, IDENTITY_FILE, state.identity, steps);
  return state;
}

async function writeState<Value>(
  directory: string,
  file: StateFile<Value>,
  value: Value,
  steps: FileSteps,
): Promise<void> {
  // The reader's own rules first: what we write we can always open again. A RangeError here is the caller's value.
  file.decode(file.encode(value), file.version);
  const text = encodeState(file, value, sha256);
  if (Buffer.byteLength(text) > MAX_STATE_BYTES)
    throw new StateError("STATE_FULL", "This device remembers too much. Forget a device first.");
  const path = join(directory, `${file.kind}.json`);
  await writeAtomically(path, text, steps);
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

async function systemErrors<Result>(directory: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const code = errorCode(error);
    if (error instanceof StateError || code === undefined) throw error;
    throw new StateError("STATE_UNWRITABLE", `${directory} cannot be read or written (${code}).`, { cause: error });
  }
}
