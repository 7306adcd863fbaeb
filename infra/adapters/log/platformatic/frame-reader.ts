// Cuts what a broker sends into frames: four bytes of length, then that many bytes.
//
// Invariant: bytes are read where they stay. The rest of a large frame goes from the socket straight into the frame's own
// buffer; only what came with the length is copied.
//
// Surprise: between frames there is only a small buffer, so that a connection which waits holds nearly nothing.
import type { ResponseBuffers } from './response-buffers.ts';

const WAITING_BYTES = 64 * 1024;
/** No answer to a request for a few megabytes; also what a TLS record looks like where plain text is spoken. */
const MAX_FRAME_BYTES = 256 * 1024 * 1024;
const LENGTH_BYTES = 4;

export class FrameReader {
  readonly #buffers: ResponseBuffers;
  readonly #onFrame: (frame: Buffer) => void;
  readonly #waiting = Buffer.allocUnsafeSlow(WAITING_BYTES);
  #waitingBytes = 0;
  #frame: Buffer | null = null;
  #frameBytes = 0;

  /** @param onFrame gets each frame without its length, in a buffer from `buffers` that nobody else holds */
  constructor(buffers: ResponseBuffers, onFrame: (frame: Buffer) => void) {
    this.#buffers = buffers;
    this.#onFrame = onFrame;
  }

  /** Where the next bytes have to be written; never empty. */
  target(): Buffer {
    return this.#frame === null
      ? this.#waiting.subarray(this.#waitingBytes)
      : this.#frame.subarray(this.#frameBytes);
  }

  /** `count` bytes were written to the target. Throws RangeError when they are no frame. */
  advance(count: number): void {
    if (this.#frame === null) {
      this.#waitingBytes += count;
      this.#split();
      return;
    }
    this.#frameBytes += count;
    if (this.#frameBytes === this.#frame.length) this.#finish(this.#frame);
  }

  #split(): void {
    const waiting = this.#waiting;
    let at = 0;
    while (this.#waitingBytes - at >= LENGTH_BYTES) {
      const length = waiting.readInt32BE(at);
      if (length < LENGTH_BYTES || length > MAX_FRAME_BYTES)
        throw new RangeError(`a frame of ${length} bytes`);
      const here = Math.min(length, this.#waitingBytes - at - LENGTH_BYTES);
      // A frame that fits is waited for here.
      if (here < length && LENGTH_BYTES + length <= WAITING_BYTES) break;
      const frame = this.#buffers.take(length);
      waiting.copy(frame, 0, at + LENGTH_BYTES, at + LENGTH_BYTES + here);
      at += LENGTH_BYTES + here;
      if (here < length) {
        this.#frame = frame;
        this.#frameBytes = here;
        break;
      }
      this.#onFrame(frame);
    }
    waiting.copyWithin(0, at, this.#waitingBytes);
    this.#waitingBytes -= at;
  }

  #finish(frame: Buffer): void {
    this.#frame = null;
    this.#frameBytes = 0;
    this.#onFrame(frame);
  }
}
