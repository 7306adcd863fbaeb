// However the bytes of frames are cut on their way, the same frames come out; lengths that no answer has are refused.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from './frame-reader.ts';
import { ResponseBuffers } from './response-buffers.ts';

function frameOf(content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length);
  return Buffer.concat([length, content]);
}

/** Feeds bytes as a socket does: into the target, never more than it takes, in pieces of the given sizes. */
function feed(reader: FrameReader, bytes: Buffer, pieces: readonly number[]): void {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const target = reader.target();
    expect(target.length).toBeGreaterThan(0);
    const count = Math.min(target.length, pieces[turn % pieces.length]!, bytes.length - at);
    bytes.copy(target, 0, at, at + count);
    at += count;
    reader.advance(count);
  }
}

describe('frames of a broker', () => {
  it('come out as they were sent, in whatever pieces they arrive', () => {
    const size = fc.oneof(
      fc.integer({ min: 4, max: 100 }),
      fc.integer({ min: 65_500, max: 65_560 }),
      fc.integer({ min: 4, max: 300_000 }),
    );
    const piece = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 200_000 }));
    fc.assert(
      fc.property(
        fc.array(size, { minLength: 1, maxLength: 5 }),
        fc.array(piece, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        (sizes, pieces, giveBack) => {
          const sent = sizes.map((length, index) => Buffer.alloc(length, index + 1));
          const seen: Buffer[] = [];
          const buffers = new ResponseBuffers();
          const reader = new FrameReader(buffers, (frame) => {
            seen.push(Buffer.from(frame));
            if (giveBack) buffers.give(frame.fill(0xdd));
          });
          const large = Math.max(...pieces) > 9 ? pieces : [...pieces, 50_000];
          feed(reader, Buffer.concat(sent.map(frameOf)), large);
          expect(seen.length).toBe(sent.length);
          seen.forEach((frame, index) => {
            expect(frame.equals(sent[index]!)).toBe(true);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('wait for their last byte', () => {
    const content = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));
    const bytes = frameOf(content);
    const seen: Buffer[] = [];
    const reader = new FrameReader(new ResponseBuffers(), (frame) => seen.push(frame));
    // All but one byte: what fits while waiting, then the rest.
    feed(reader, bytes.subarray(0, -1), [65_536, 40_000]);
    expect(seen).toEqual([]);
    feed(reader, bytes.subarray(-1), [1]);
    expect(seen.map((frame) => frame.equals(content))).toEqual([true]);
  });

  it.each([
    ['a negative length', [0xff, 0xff, 0xff, 0xff]],
    ['no room for a correlation id', [0, 0, 0, 3]],
    ['a TLS alert', [0x15, 0x03, 0x03, 0x00]],
  ])('refuses %s', (_what, bytes) => {
    const reader = new FrameReader(new ResponseBuffers(), () => expect.fail('no frame'));
    expect(() => feed(reader, Buffer.from(bytes), [4])).toThrow(RangeError);
  });
});
