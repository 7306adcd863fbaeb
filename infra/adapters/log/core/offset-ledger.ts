// Which records of one partition, in one assignment epoch, have a durable outcome, and how far a commit may go.
//
// Invariant: `watermark` is the lowest offset whose record is not complete; every offset below it is complete or was
// never a record (compaction gap, control record). Work is kept as ranges, so a batch costs one entry, not one per
// record.
//
// Surprise: completions that come late, twice or for records that were never delivered change nothing; after `close`
// nothing changes at all. They are facts of a rebalance, not errors.

export class OffsetLedger {
  #watermark: number;
  #delivered: number;
  #closed = false;
  /** Completed ranges above the watermark: sorted, disjoint, not touching. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  /** @param position first offset that will be delivered */
  constructor(position: number) {
    this.#watermark = position;
    this.#delivered = position;
  }

  /** Everything below is complete: the offset to commit. */
  get watermark(): number {
    return this.#watermark;
  }

  /** Offset after the last delivered record. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Nothing that was delivered is still open. */
  get drained(): boolean {
    return this.#watermark >= this.#delivered;
  }

  /** Number of completed ranges that wait for a lower one. */
  get waitingRanges(): number {
    return this.#starts.length;
  }

  /** The records [first, next) go to the handler now. Offsets between the last delivery and `first` hold no record. */
  deliver(first: number, next: number): void {
    if (this.#closed || next <= this.#delivered) return;
    if (first > this.#delivered) this.skip(first);
    this.#delivered = next;
  }

  /** No record lives in [delivered, next): the watermark may pass over them. */
  skip(next: number): void {
    if (this.#closed || next <= this.#delivered) return;
    const from = this.#delivered;
    this.#delivered = next;
    this.complete(from, next);
  }

  /** The records [first, next) are done. Returns whether the watermark moved. */
  complete(first: number, next: number): boolean {
    if (this.#closed) return false;
    const start = first < this.#watermark ? this.#watermark : first;
    const end = next > this.#delivered ? this.#delivered : next;
    if (start >= end) return false;
    if (start > this.#watermark) {
      this.#insert(start, end);
      return false;
    }
    this.#watermark = end;
    this.#absorb();
    return true;
  }

  /** Deliver again from `offset`; completed ranges above it are forgotten. */
  seek(offset: number): void {
    if (this.#closed) return;
    this.#starts.length = 0;
    this.#ends.length = 0;
    this.#watermark = offset;
    this.#delivered = offset;
  }

  /** The assignment is over: later completions are dropped. */
  close(): void {
    this.#closed = true;
  }

  #absorb(): void {
    let used = 0;
    while (used < this.#starts.length && this.#starts[used]! <= this.#watermark) {
      const end = this.#ends[used]!;
      if (end > this.#watermark) this.#watermark = end;
      used++;
    }
    if (used > 0) {
      this.#starts.splice(0, used);
      this.#ends.splice(0, used);
    }
  }

  #insert(start: number, end: number): void {
    const count = this.#starts.length;
    // The common case: completions arrive nearly in order, so the new range touches or follows the last one.
    if (count === 0 || start > this.#ends[count - 1]!) {
      this.#starts.push(start);
      this.#ends.push(end);
      return;
    }
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ends[middle]! < start) low = middle + 1;
      else high = middle;
    }
    // `low` is the first range that ends at or after `start`; ranges up to `last` touch the new one.
    let last = low;
    let newStart = start;
    let newEnd = end;
    while (last < count && this.#starts[last]! <= end) {
      newStart = Math.min(newStart, this.#starts[last]!);
      newEnd = Math.max(newEnd, this.#ends[last]!);
      last++;
    }
    this.#starts.splice(low, last - low, newStart);
    this.#ends.splice(low, last - low, newEnd);
  }
}
