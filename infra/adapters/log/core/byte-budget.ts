// A shared bound on bytes held in memory.
//
// Invariant: `used` is the sum of what was taken and not given back. Taking never blocks (bytes that arrived are
// here already); the reader looks at `free` before it asks the broker for more.

export class ByteBudget {
  readonly limit: number;
  #used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  get free(): number {
    return Math.max(0, this.limit - this.#used);
  }

  take(bytes: number): void {
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
