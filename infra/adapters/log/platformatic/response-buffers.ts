// Memory for the answers to Fetch requests, used again once nobody reads it.
//
// Invariant: a buffer is handed out to one answer at a time; what was given back may be overwritten at once. What is never
// given back is collected like any other object.
//
// Surprise: a new buffer of a few megabytes per answer makes V8 collect the whole heap several times a second, although
// nearly nothing is in it: it counts the bytes outside. Sizes are rounded up only where buffers come back, because nobody
// gains from unused room that is thrown away.

/** Free bytes kept for later, at most. */
const MAX_FREE_BYTES = 16 * 1024 * 1024;
const SMALLEST = 2 ** 17;
const LARGEST = 2 ** 22;
/** Room for what an answer holds around its record batches, so that a limit of 2^n bytes does not take 2^(n+1). */
const AROUND_BYTES = 4096;

export class ResponseBuffers {
  readonly #free = new Map<number, Buffer[]>();
  #freeBytes = 0;
  #returning = false;

  /** A buffer of exactly `length` bytes with any content. */
  take(length: number): Buffer {
    if (!this.#returning || length <= SMALLEST / 2 || length > LARGEST + AROUND_BYTES)
      return Buffer.allocUnsafeSlow(length);
    const size = roomFor(length);
    const whole = this.#free.get(size)?.pop();
    if (whole === undefined) return Buffer.allocUnsafeSlow(size).subarray(0, length);
    this.#freeBytes -= size;
    return whole.subarray(0, length);
  }

  /** Nobody reads the buffer, or any view of it, any more. */
  give(buffer: Buffer): void {
    this.#returning = true;
    const size = buffer.buffer.byteLength;
    if (size < SMALLEST || this.#freeBytes + size > MAX_FREE_BYTES || roomFor(size) !== size) return;
    const whole = Buffer.from(buffer.buffer);
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [whole]);
    else list.push(whole);
    this.#freeBytes += size;
  }
}

function roomFor(length: number): number {
  let power = SMALLEST;
  while (power + AROUND_BYTES < length) power *= 2;
  return power + AROUND_BYTES;
}
