import type { FileRecord } from "./record.js";
import type { RelativePath } from "./relativePath.js";

/** Small and big files wait in different lanes, so that neither waits for the other. */
export type Lane = "small" | "big";
const BIG = 1024 * 1024;

export interface Job {
  readonly record: FileRecord;
  /** How often it was tried in vain because the file changed. */
  readonly tries: number;
  /** What is in the way is moved aside. */
  readonly forced: boolean;
}

/** A peer's records that are to be applied here, in the order of PROTOCOL.md §4. */
export class Jobs {
  readonly #lanes: Record<Lane, Queue<Job>> = { small: new Queue(), big: new Queue() };
  /** Deletions wait for everything else: what is deleted here may be what a new name wants to copy. */
  readonly #deletions = new Queue<Job>();
  /** Waits for the deletions, which may take away what is in the way. */
  readonly #blocked = new Queue<Job>();
  /** Could not be applied; a newer record for the path or a later try may help. */
  readonly #failed = new Map<RelativePath, FileRecord>();
  /** Being worked on, or taken out of a lane and not settled yet. */
  running = 0;

  get waiting(): number {
    return this.#lanes.small.length + this.#lanes.big.length;
  }

  get size(): number {
    return this.waiting + this.#deletions.length + this.#blocked.length + this.#failed.size;
  }

  get failures(): number {
    return this.#failed.size;
  }

  add(record: FileRecord): void {
    this.#failed.delete(record.path);
    this.#put({ record, tries: 0, forced: false });
  }

  again(job: Job): void {
    this.#put({ ...job, tries: job.tries + 1 });
  }

  block(job: Job): void {
    this.#blocked.push({ ...job, forced: true });
  }

  fail(record: FileRecord): void {
    this.#failed.set(record.path, record);
  }

  next(lane: Lane): Job | undefined {
    return this.#lanes[lane].take();
  }

  nextDeletion(): Job | undefined {
    return this.#deletions.take();
  }

  /** Puts what was blocked back into its lane. False when there was none. */
  unblock(): boolean {
    if (this.#blocked.length === 0) return false;
    for (let job = this.#blocked.take(); job; job = this.#blocked.take()) this.#put(job);
    return true;
  }

  /** Puts back what could not be applied. */
  retryFailed(): void {
    for (const record of this.#failed.values()) this.#put({ record, tries: 0, forced: false });
    this.#failed.clear();
  }

  #put(job: Job): void {
    if (job.record.deleted) this.#deletions.push(job);
    else this.#lanes[job.record.size > BIG ? "big" : "small"].push(job);
  }
}

/** First in, first out, in constant time. */
class Queue<T> {
  #values: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#values.length - this.#head;
  }

  push(value: T): void {
    this.#values.push(value);
  }

  take(): T | undefined {
    const value = this.#values[this.#head];
    if (value === undefined) return undefined;
    this.#values[this.#head++] = undefined;
    if (this.#head > 1000 && this.#head * 2 > this.#values.length) {
      this.#values = this.#values.slice(this.#head);
      this.#head = 0;
    }
    return value;
  }
}
