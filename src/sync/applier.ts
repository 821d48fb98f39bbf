import { equalConstantTime } from "#kernel/bytes.js";
import { FolderError, type Incoming } from "./folder.js";
import type { RequestEnd } from "./messages.js";
import { type Action, plan } from "./plan.js";
import type { FileRecord } from "./record.js";
import { conflictPath, type RelativePath } from "./relativePath.js";
import type { SharedFolder } from "./sharedFolder.js";
import type { SyncEvent } from "./syncEvents.js";
import { mergeVersions, type VersionVector } from "./versionVector.js";

const COPY_CHUNK = 1024 * 1024;
/** From where content came: over the wire, or from another file here. */
export type Applied = "nothing" | "copied" | "received";
type Outcome = Applied | Exclude<RequestEnd, "ok">;

/** Does to the folder what the plan says about one record of a peer. PROTOCOL.md §4, §5. */
export class Applier {
  readonly #shared: SharedFolder;
  readonly #request: (record: FileRecord, incoming: Incoming) => Promise<RequestEnd>;
  readonly #onEvent: (event: SyncEvent) => void;
  readonly #isHeard: boolean;

  constructor(options: {
    readonly shared: SharedFolder;
    /** Gets the content of a record from the peer. */
    readonly request: (record: FileRecord, incoming: Incoming) => Promise<RequestEnd>;
    readonly onEvent: (event: SyncEvent) => void;
    /** The peer is told of our records too. */
    readonly isHeard: boolean;
  }) {
    this.#shared = options.shared;
    this.#request = options.request;
    this.#onEvent = options.onEvent;
    this.#isHeard = options.isHeard;
  }

  /** "changed" and "gone": nothing was done, the peer no longer has this content. Rejects with what is in the way of it. */
  async apply(record: FileRecord, forced: boolean): Promise<Outcome> {
    return await this.#shared.exclusively(record.path, () => this.#applyAlone(record, forced));
  }

  async #applyAlone(record: FileRecord, forced: boolean): Promise<Outcome> {
    const { index, folder } = this.#shared;
    if (folder.ignoresCase && !record.deleted && index.withOtherCase(record.path)) {
      if (forced) return await this.#obtain(record, "beside");
      throw new FolderError("FOLDER_IN_THE_WAY", `${record.path} is here already in other letters.`);
    }
    const entry = await this.#shared.refresh(record.path);
    const action = plan(entry?.record, record);
    switch (action) {
      case "keep":
        return "nothing";
      case "merge":
        index.set({ ...(entry?.record ?? record), version: this.#united(entry?.record, record) }, entry?.stat);
        return "nothing";
      case "trash":
        await folder.trash(record.path);
        index.set(record, undefined);
        return "nothing";
      default:
        return await this.#obtainPast(record, action, forced);
    }
  }

  /** As `#obtain`; with `forced`, what is in the way gets out of it, or the content another name. */
  async #obtainPast(record: FileRecord, action: Action, forced: boolean): Promise<Outcome> {
    try {
      return await this.#obtain(record, action);
    } catch (error) {
      if (!forced || !(error instanceof FolderError) || error.code !== "FOLDER_IN_THE_WAY" || !error.blocker)
        throw error;
      const { blocker } = error;
      if (blocker === record.path) return await this.#obtain(record, "beside");
      await this.#shared.exclusively(blocker, async () => {
        const there = await this.#shared.refresh(blocker);
        if (there && !there.record.deleted) await this.#moveAside(there.record);
        await this.#shared.refresh(blocker);
      });
      return await this.#obtain(record, action);
    }
  }

  /** Gets the content and puts it where the action says. */
  async #obtain(record: FileRecord, action: Action | "beside"): Promise<Outcome> {
    const { folder, index } = this.#shared;
    const beside = action === "beside" || action === "conflict-theirs";
    const target = beside ? this.#placeBeside(record) : record.path;
    if (this.#hasContent(target, record)) return this.#settle(record);
    const incoming = await folder.receive(target, record.size);
    try {
      const outcome = await this.#fill(record, incoming);
      if (outcome === "changed" || outcome === "gone") {
        await incoming.discard();
        return outcome;
      }
      // The file here may have been changed while the other travelled: then the plan is another one.
      const now = action === "beside" ? undefined : (await this.#shared.refresh(record.path))?.record;
      if (action !== "beside" && plan(now, record) !== action) {
        await incoming.discard();
        return "changed";
      }
      if (action === "conflict-ours" && now) await this.#moveAside(now);
      const stat = await incoming.commit({ mtimeMs: record.mtimeMs, executable: record.executable });
      index.set({ ...record, path: target }, stat);
      if (beside) {
        this.#onEvent({ type: "conflict", path: record.path, copy: target });
        this.#settle(record);
      }
      this.#onEvent({ type: "received", path: target, bytes: outcome === "received" ? record.size : 0 });
      return outcome;
    } catch (error) {
      await incoming.discard();
      throw error;
    }
  }

  /** Theirs is stored beside ours: from now on ours is the one that came later. */
  #settle(record: FileRecord): Outcome {
    const { index } = this.#shared;
    const ours = index.get(record.path);
    if (ours && !ours.record.deleted)
      index.set({ ...ours.record, version: mergeVersions(ours.record.version, record.version) }, ours.stat);
    return "nothing";
  }

  /** Ours lives on under the name of a conflict copy. Call while its path is ours alone. */
  async #moveAside(ours: FileRecord): Promise<void> {
    const copy = this.#placeBeside(ours);
    // The copy may be here already: then the one under the old name goes to the trash.
    if (!this.#hasContent(copy, ours)) {
      await this.#shared.exclusively(copy, async () => {
        await this.#shared.folder.rename(ours.path, copy);
        await this.#shared.refresh(copy);
      });
    } else await this.#shared.folder.trash(ours.path);
    this.#onEvent({ type: "conflict", path: ours.path, copy });
  }

  /** The conflict copy's name says whose version it holds and of when, so that every device gives it the same. */
  #placeBeside(record: FileRecord): RelativePath {
    const [date = "", time = ""] = new Date(record.mtimeMs).toISOString().split("T");
    const stamp = `${record.by}-${date.replaceAll("-", "")}-${time.slice(0, 8).replaceAll(":", "")}`;
    for (let n = 1; ; n++) {
      const path = conflictPath(record.path, n === 1 ? stamp : `${stamp}-${n}`);
      const there = this.#shared.index.get(path)?.record;
      if (!there || there.deleted || equalConstantTime(there.hash, record.hash)) return path;
    }
  }

  #hasContent(path: RelativePath, record: FileRecord): boolean {
    const there = this.#shared.index.get(path)?.record;
    return path !== record.path && there !== undefined && !there.deleted && equalConstantTime(there.hash, record.hash);
  }

  /** A peer that does not hear of our versions would take a united one for a change of ours: it keeps its own. PROTOCOL.md §4. */
  #united(ours: FileRecord | undefined, theirs: FileRecord): VersionVector {
    return ours && this.#isHeard ? mergeVersions(ours.version, theirs.version) : theirs.version;
  }

  async #fill(record: FileRecord, incoming: Incoming): Promise<Outcome> {
    if (record.size > 0 && (await this.#copyLocally(record, incoming))) return "copied";
    const end = await this.#request(record, incoming);
    // The hash alone decides: what is right is right although the file has changed since.
    if (equalConstantTime(incoming.digest(), record.hash)) return "received";
    return end === "gone" ? "gone" : "changed";
  }

  /** A file that was only moved or copied need not travel. */
  async #copyLocally(record: FileRecord, incoming: Incoming): Promise<boolean> {
    const { index, folder } = this.#shared;
    const source = index.withContent(record.hash);
    const reader = source === undefined ? undefined : await folder.open(source).catch(() => undefined);
    if (!reader) return false;
    try {
      for (let offset = 0; offset < record.size; ) {
        const bytes = await reader.read(offset, Math.min(COPY_CHUNK, record.size - offset));
        if (bytes.length === 0) break;
        await incoming.write(bytes);
        offset += bytes.length;
      }
    } finally {
      await reader.close();
    }
    if (equalConstantTime(incoming.digest(), record.hash)) return true;
    await incoming.restart();
    return false;
  }
}
