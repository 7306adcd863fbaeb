// Positions come back as they were, and nothing else is taken for one.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePosition, encodePosition } from './position.ts';

const offsets = fc.array(fc.maxSafeNat(), { maxLength: 40 });
const position = fc
  .uniqueArray(fc.constantFrom('findings', 'events'), { maxLength: 2 })
  .chain((ids) => fc.tuple(...ids.map((id) => fc.tuple(fc.constant(id), offsets))))
  .map((entries) => new Map<string, number[]>(entries));

describe('positions', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(position, (given) => {
        const text = encodePosition(given);
        expect(text).toMatch(/^[\w-]+$/);
        expect([...(decodePosition(text) ?? [])]).toEqual([...given]);
      }),
    );
  });

  it('are refused with any one character changed, dropped or added', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    fc.assert(
      fc.property(
        position,
        fc.nat(),
        fc.constantFrom(...alphabet),
        fc.constantFrom('change', 'drop', 'add'),
        (given, place, character, how) => {
          const text = encodePosition(given);
          const at = place % text.length;
          const changed =
            text.slice(0, at) + (how === 'drop' ? '' : character) + text.slice(how === 'add' ? at : at + 1);
          fc.pre(changed !== text);
          expect(decodePosition(changed)).toBeNull();
        },
      ),
    );
  });

  it('are not found in any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: 'binary' })), (text) => {
        expect(decodePosition(text)).toBeNull();
      }),
    );
  });

  // By hand from the description: version 1, topic 1 with offsets 5 and 300 (0xac 0x02), and the CRC-32 of those six bytes as zlib
  // has it: python3 -c "import zlib; print(hex(zlib.crc32(bytes([1,1,2,5,0xac,2]))))"
  it('have a form that does not change, because clients keep them', () => {
    const crc = '0780c31f';
    const bytes = Buffer.from(`01010205ac02${crc}`, 'hex');
    const text = bytes.toString('base64url');
    expect(encodePosition(new Map([['findings', [5, 300]]]))).toBe(text);
    expect(decodePosition(text)).toEqual(new Map([['findings', [5, 300]]]));
  });

  it.each([
    ['nothing', ''],
    ['a number', '12345'],
    ['padding', `${encodePosition(new Map([['findings', [1]]]))}=`],
    ['more than a header holds', 'A'.repeat(20_000)],
    ['another version', withChecksum([2, 1, 1, 5])],
    ['an unknown topic', withChecksum([1, 9, 1, 5])],
    ['one topic twice', withChecksum([1, 1, 1, 5, 1, 1, 6])],
    ['fewer offsets than it says', withChecksum([1, 1, 3, 5])],
    ['more partitions than can be', withChecksum([1, 1, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['an offset above 2^53', withChecksum([1, 1, 1, ...Array(8).fill(0xff), 0x7f])],
    ['a number with leading zeros', withChecksum([1, 1, 1, 0x85, 0])],
  ])('refuse %s', (_, text) => {
    expect(decodePosition(text)).toBeNull();
  });

  it('are made of offsets and known topics only', () => {
    expect(() => encodePosition(new Map([['results', [1]]]))).toThrow('results');
    for (const offset of [-1, 0.5, Number.NaN, 2 ** 53])
      expect(() => encodePosition(new Map([['events', [offset]]]))).toThrow('is no offset');
  });
});

/** CRC-32 as ISO 3309 has it, bit by bit: not the one that the codec uses. */
function withChecksum(bytes: readonly number[]): string {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
  return Buffer.concat([Buffer.from(bytes), sum]).toString('base64url');
}
