import { HandfastError, WireError } from "#kernel/errors.js";
import { Gate } from "#kernel/gate.js";
import { Applier } from "./applier.js";
import { Fetches } from "./fetches.js";
import { FolderError } from "./folder.js";
import { type Job, Jobs, type Lane } from "./jobs.js";
import type { MessageChannel } from "./messageChannel.js";
import type { Refusal, RequestEnd, SyncMessage } from "./messages.js";
import { Progress } from "./progress.js";
import type { FileRecord } from "./record.js";
import { refusalOf, refusalText } from "./refusal.js";
import type { SharedFolder } from "./sharedFolder.js";
import type { SyncEvent } from "./syncEvents.js";
import { compareVersions } from "./versionVector.js";

/** Files on their way at the same time; together at most MAX_REQUESTS. */
const WORKERS: Readonly<Record<Lane, number>> = { small: 28, big: 4 };
const MAX_PENDING = 1_000_000;
const MAX_TRIES = 3;
const FULL_WAIT_MS = 10_000;
const RETRY_MS = 60_000;
/** Applied files after which the index is saved, so that a crash costs little. */
const SAVE_EVERY = 100;

export interface SyncReceiverOptions {
  readonly shared: SharedFolder;
  readonly channel: MessageChannel;
  readonly peer: string;
  readonly peerIndexId: string;
  /** The peer is told of our records too. */
  readonly isHeard: boolean;
  readonly onEvent: (event: SyncEvent) => void;
  /** All that the peer has told is applied, durably. */
  readonly onSettled: () => void;
  /** Resolves after so many milliseconds, or earlier, in any way, when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The peer's changes on their way here: plans, fetches, checks, makes durable, and only then says so. */
export class SyncReceiver {
  readonly #options: SyncReceiverOptions;
  readonly #jobs = new Jobs();
  readonly #fetches: Fetches;
  readonly #applier: Applier;
  readonly #progress: Progress;
  readonly #changed = new Gate();
  readonly #closing = new AbortController();
  /** The peer has nothing newer than this. */
  #target: number | undefined;
  #told: number | undefined;
  #received = 0;
  #unsaved = 0;
  #paused = false;
  #retrying = false;

  constructor(options: SyncReceiverOptions) {
    this.#options = options;
    const { shared, channel, onEvent } = options;
    this.#progress = new Progress((progress) => {
      onEvent({ type: "progress", ...progress });
      this.#say({ type: "progress", ...progress } as SyncMessage);
    });
    this.#fetches = new Fetches(channel, (record, bytes) => this.#progress.onBytes(record, bytes));
    const request = (...wanted: Parameters<Fetches["request"]>): Promise<RequestEnd> =>
      this.#fetches.request(...wanted);
    this.#applier = new Applier({ shared, request, onEvent, isHeard: options.isHeard });
  }

  get settled(): boolean {
    return this.#target !== undefined && this.#target === this.#told;
  }

  /** Files that came over the wire since the last call. */
  takeReceived(): number {
    const received = this.#received;
    this.#received = 0;
    return received;
  }

  onIndex(message: Extract<SyncMessage, { type: "index" }>): void {
    if (this.#jobs.size + message.records.length > MAX_PENDING) throw new WireError("too many index records");
    for (const record of message.records) if (this.#isNews(record)) this.#add(record);
    if (!message.more) this.#target = message.sequence;
    this.#changed.open();
  }

  async onData(id: number, bytes: Uint8Array): Promise<void> {
    await this.#fetches.onData(id, bytes);
  }

  onEnd(id: number, status: RequestEnd): void {
    this.#fetches.onEnd(id, status);
  }

  /** Works until `close`. Rejects when something happened that makes going on pointless. */
  async run(): Promise<void> {
    const lanes: Lane[] = ["small", "big"];
    const workers = lanes.flatMap((lane) => Array.from({ length: WORKERS[lane] }, () => this.#work(lane)));
    const all = [...workers, this.#conduct()];
    try {
      await Promise.all(all);
    } finally {
      this.close();
      await Promise.allSettled(all);
    }
  }

  close(): void {
    this.#closing.abort();
    this.#fetches.close(new HandfastError("CLOSED", "Syncing has ended."));
    this.#changed.open();
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** What the index says is enough to know that a record is old. */
  #isNews(record: FileRecord): boolean {
    const known = this.#options.shared.index.get(record.path)?.record;
    const order = known && compareVersions(known.version, record.version);
    return order !== "equal" && order !== "after";
  }

  #add(record: FileRecord): void {
    this.#jobs.add(record);
    if (!record.deleted) this.#progress.expect(record);
  }

  async #work(lane: Lane): Promise<void> {
    while (!this.#closed) {
      const job = this.#jobs.next(lane);
      if (job) await this.#doOne(job);
      else await this.#changed.wait();
    }
  }

  /** When the lanes are empty: deletions, then what they made possible, then the word that all is done. */
  async #conduct(): Promise<void> {
    while (!this.#closed) {
      const idle = this.#target !== undefined && this.#jobs.waiting === 0 && this.#jobs.running === 0;
      const deletion = idle ? this.#jobs.nextDeletion() : undefined;
      if (deletion) await this.#doOne(deletion);
      else if (idle && this.#jobs.unblock()) this.#changed.open();
      else if (idle && this.#target !== this.#told) await this.#report();
      else await this.#changed.wait();
    }
  }

  async #report(): Promise<void> {
    const { shared, channel, peer, peerIndexId, onSettled } = this.#options;
    const target = this.#target ?? 0;
    // With failures the peer tells all again at the next session, and they are tried again.
    if (this.#jobs.failures === 0) shared.index.setPeer(peer, peerIndexId, target);
    await shared.save();
    if (target !== this.#target || this.#jobs.waiting > 0) return;
    this.#progress.reset();
    await channel.send({ type: "applied", sequence: target });
    this.#told = target;
    shared.changed();
    onSettled();
  }

  async #doOne(job: Job): Promise<void> {
    this.#jobs.running++;
    try {
      await this.#applyPatiently(job);
      if (++this.#unsaved % SAVE_EVERY === 0) await this.#options.shared.save();
    } finally {
      this.#jobs.running--;
      this.#changed.open();
    }
  }

  /** A full disk is a pause, not an end. */
  async #applyPatiently(job: Job): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#apply(job);
        if (this.#paused) this.#pause(false);
        return;
      } catch (error) {
        if (this.#closed) return;
        if (!(error instanceof FolderError) || error.code !== "DISK_FULL") return this.#onFailure(job, error);
        if (!this.#paused) this.#pause(true, error.message);
        await this.#wait(FULL_WAIT_MS);
      }
    }
  }

  async #apply(job: Job): Promise<void> {
    const { record } = job;
    const outcome = await this.#applier.apply(record, job.forced);
    if (outcome === "changed" && job.tries + 1 < MAX_TRIES) this.#jobs.again(job);
    else if (outcome === "changed") this.#refuse(record, "changing");
    else if (outcome === "gone") this.#jobs.fail(record);
    else if (!record.deleted) this.#progress.onFile(record, outcome === "received" ? record.size : 0);
    if (outcome === "received") this.#received++;
  }

  #onFailure(job: Job, error: unknown): void {
    const why = refusalOf(error);
    // What concerns more than one file ends the session.
    if (!why) throw error;
    if (why === "in the way" && !job.forced) this.#jobs.block(job);
    else this.#refuse(job.record, why, error instanceof FolderError ? error.message : undefined);
  }

  #refuse(record: FileRecord, why: Refusal, reason = refusalText(why)): void {
    this.#jobs.fail(record);
    this.#options.onEvent({ type: "skipped", path: record.path, reason });
    this.#say({ type: "refused", path: record.path, why });
    if (!this.#retrying) void this.#retryLater();
  }

  async #retryLater(): Promise<void> {
    this.#retrying = true;
    await this.#wait(RETRY_MS);
    this.#retrying = false;
    if (this.#closed || this.#jobs.failures === 0) return;
    this.#jobs.retryFailed();
    this.#told = undefined;
    this.#changed.open();
  }

  #pause(on: boolean, reason = ""): void {
    this.#paused = on;
    this.#options.onEvent(on ? { type: "paused", reason } : { type: "resumed" });
    this.#say({ type: "pause", on });
  }

  async #wait(ms: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#closing.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([this.#options.wait(ms, this.#closing.signal).catch(() => {}), closed]);
  }

  /** Only for the person there: nothing waits for it. */
  #say(message: SyncMessage): void {
    this.#options.channel.send(message).catch(() => {});
  }
}
