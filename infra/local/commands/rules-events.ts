// Lines of a file of events, as byte ranges of buffers: the lines are located once, no text is made of them.
//
// Invariant: memory is bounded: a file up to `wholeBytes` is held as a whole, a larger one is read in pieces again in every
// round, and a line above `maxLineBytes` is reported with its size alone, because no event may be that large.
import { open, readFile, stat } from 'node:fs/promises';

/** Lines of one piece of the file; line k is `bytes[starts[k], ends[k])`. */
export interface EventLines {
  readonly bytes: Buffer;
  readonly count: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Number of the first line in the file, from 1; the lines of a piece follow each other without a gap. */
  readonly firstLine: number;
}

export interface EventFile {
  /** The lines from the first to the last, in pieces; may be called again. A line above the limit comes cut off at it. */
  pieces(): AsyncIterable<EventLines>;
}

export interface EventFileOptions {
  /** Default 512 MiB. */
  readonly wholeBytes?: number;
  /** Size of a piece of a larger file; default 64 MiB. */
  readonly pieceBytes?: number;
}

const newline = 0x0a;
const carriageReturn = 0x0d;
const mebi = 1024 * 1024;

/** Rejects when the file cannot be read. */
export async function openEvents(path: string, options: EventFileOptions = {}): Promise<EventFile> {
  const { wholeBytes = 512 * mebi, pieceBytes = 64 * mebi } = options;
  const { size } = await stat(path);
  if (size <= wholeBytes) {
    const whole = locateLines(await readFile(path), 1, true).lines;
    return {
      async *pieces() {
        yield whole;
      },
    };
  }
  return { pieces: () => readPieces(path, pieceBytes) };
}

async function* readPieces(path: string, pieceBytes: number): AsyncGenerator<EventLines> {
  const file = await open(path, 'r');
  try {
    let buffer = Buffer.allocUnsafe(pieceBytes);
    let kept = 0;
    let firstLine = 1;
    // A line that fills a whole piece is already too large for an event: its rest is passed over.
    let skipping = false;
    for (;;) {
      const { bytesRead } = await file.read(buffer, kept, buffer.length - kept, null);
      const last = bytesRead === 0;
      const filled = kept + bytesRead;
      if (last && filled === 0) return;
      let from = 0;
      if (skipping) {
        const end = buffer.indexOf(newline);
        if (end < 0 || end >= filled) {
          if (last) return;
          kept = 0;
          continue;
        }
        from = end + 1;
        skipping = false;
      }
      const { lines, rest } = locateLines(buffer.subarray(from, filled), firstLine, last);
      if (lines.count === 0 && !last && rest === filled - from && filled === buffer.length && from === 0) {
        const starts = Int32Array.of(0);
        yield { bytes: buffer, count: 1, starts, ends: Int32Array.of(filled), firstLine };
        firstLine += 1;
        skipping = true;
        kept = 0;
        continue;
      }
      if (lines.count > 0) yield lines;
      if (last) return;
      firstLine += lines.count;
      const next = Buffer.allocUnsafe(pieceBytes);
      kept = buffer.copy(next, 0, filled - rest, filled);
      buffer = next;
    }
  } finally {
    await file.close();
  }
}

/** Lines that end within `bytes`; with `last` also what stands after the last line end. `rest`: bytes after the last line. */
function locateLines(
  bytes: Buffer,
  firstLine: number,
  last: boolean,
): { readonly lines: EventLines; readonly rest: number } {
  let starts = new Int32Array(1024);
  let ends = new Int32Array(1024);
  let count = 0;
  let from = 0;
  while (from < bytes.length) {
    const at = bytes.indexOf(newline, from);
    if (at < 0 && !last) break;
    const end = at < 0 ? bytes.length : at;
    if (count === starts.length) {
      starts = grown(starts);
      ends = grown(ends);
    }
    starts[count] = from;
    ends[count] = end > from && bytes[end - 1] === carriageReturn ? end - 1 : end;
    count += 1;
    from = end + 1;
  }
  return { lines: { bytes, count, starts, ends, firstLine }, rest: Math.max(0, bytes.length - from) };
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
