/** One run of consecutive integers, both ends included. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * A set of non-negative integers kept as sorted, disjoint, non-adjacent runs: ACK ranges, holes in a stream.
 * add and remove: O(log n) to find, O(n) for the engine to move what is behind; n is bounded by the callers.
 */
export class RangeSet {
  #starts: number[] = [];
  #ends: number[] = [];

  /** How many runs there are. */
  get size(): number {
    return this.#starts.length;
  }

  get min(): number | undefined {
    return this.#starts[0];
  }

  get max(): number | undefined {
    // Here and below not index -1 of a list: V8 looks for a property of that name.
    return this.#ends.length === 0 ? undefined : this.#ends[this.#ends.length - 1];
  }

  has(value: number): boolean {
    const i = this.#lastStartingAtOrBefore(value);
    return i >= 0 && value <= (this.#ends[i] ?? -1);
  }

  /** Adds start..end (both included). Returns false when all of it was there already. */
  add(start: number, end: number = start): boolean {
    let first = this.#lastStartingAtOrBefore(start);
    const reached = first < 0 ? -2 : (this.#ends[first] ?? -2);
    if (reached >= end) return false;
    if (reached < start - 1) first++;
    else if (first === this.#ends.length - 1) {
      // What comes in order only makes the highest run longer.
      this.#ends[first] = end;
      return true;
    }
    let from = start;
    let to = end;
    let last = first;
    for (; last < this.#starts.length && (this.#starts[last] ?? 0) <= end + 1; last++) {
      from = Math.min(from, this.#starts[last] ?? from);
      to = Math.max(to, this.#ends[last] ?? to);
    }
    this.#starts.splice(first, last - first, from);
    this.#ends.splice(first, last - first, to);
    return true;
  }

  /** Where the run that holds `value` ends; undefined when none does. */
  endOfRunAt(value: number): number | undefined {
    const end = this.#ends[this.#lastStartingAtOrBefore(value)];
    return end !== undefined && end >= value ? end : undefined;
  }

  /** Removes start..end (both included). */
  remove(start: number, end: number = start): void {
    const last = this.#lastStartingAtOrBefore(end);
    let first = this.#lastStartingAtOrBefore(start);
    if (first < 0 || (this.#ends[first] ?? -1) < start) first++;
    if (first > last) return;
    const low = this.#starts[first] ?? start;
    const high = this.#ends[last] ?? end;
    // What is left of the first run that is touched, and of the last.
    const starts = [...(low < start ? [low] : []), ...(high > end ? [end + 1] : [])];
    const ends = [...(low < start ? [start - 1] : []), ...(high > end ? [high] : [])];
    this.#starts.splice(first, last - first + 1, ...starts);
    this.#ends.splice(first, last - first + 1, ...ends);
  }

  /** What of start..end is not in the set. */
  *missing(start: number, end: number): Generator<Range> {
    let from = start;
    for (let i = Math.max(this.#lastStartingAtOrBefore(start), 0); (this.#starts[i] ?? end + 1) <= end; i++) {
      const run = this.#at(i);
      if (run.start > from) yield { start: from, end: run.start - 1 };
      from = Math.max(from, run.end + 1);
    }
    if (from <= end) yield { start: from, end };
  }

  /** Drops the lowest runs until at most `count` remain. */
  keepHighest(count: number): void {
    const excess = this.#starts.length - count;
    if (excess <= 0) return;
    this.#starts.splice(0, excess);
    this.#ends.splice(0, excess);
  }

  /** Runs from the highest to the lowest, as an ACK frame lists them. */
  *descending(): Generator<Range> {
    for (let i = this.#starts.length - 1; i >= 0; i--) yield this.#at(i);
  }

  *[Symbol.iterator](): Generator<Range> {
    for (let i = 0; i < this.#starts.length; i++) yield this.#at(i);
  }

  #at(i: number): Range {
    return { start: this.#starts[i] ?? 0, end: this.#ends[i] ?? 0 };
  }

  #lastStartingAtOrBefore(value: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] ?? 0) <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
