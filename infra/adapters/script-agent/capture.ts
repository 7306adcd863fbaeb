// Takes the output of a process in: keeps the beginning, counts and hashes everything. Memory is bounded whatever is written.
import { createHash } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import type { Captured } from '@tocsin/topologies/domain/script/output.ts';

export interface Capture {
  add(bytes: Buffer): void;
  /** Call once, at the end. */
  take(): Captured;
}

/** Keeps so many bytes; bytes that are no UTF-8 become U+FFFD. */
export function createCapture(keep: number): Capture {
  const hash = createHash('sha256');
  const kept: Buffer[] = [];
  let room = keep;
  let count = 0;
  return {
    add(bytes) {
      hash.update(bytes);
      count += bytes.length;
      if (room === 0) return;
      // A copy: the rest of the piece that it came in need not be held for it.
      const part = Buffer.from(bytes.subarray(0, room));
      kept.push(part);
      room -= part.length;
    },
    take() {
      const truncated = count > keep;
      const whole = Buffer.concat(kept);
      // Cut within a character the decoder keeps the half to itself.
      const text = truncated ? new StringDecoder('utf8').write(whole) : whole.toString('utf8');
      return { text, bytes: count, sha256: hash.digest('hex'), truncated };
    },
  };
}
