// Strings: where they end, their hashes, and whether their UTF-8 is valid. Compiled by AssemblyScript to SIMD WebAssembly.
//
// Invariant: a zero byte follows the document. It ends every loop here, because a control character ends a string.
import { letters, masks } from '../layout';

// Odd constants with well mixed bits: those of xxHash64 and of Fibonacci hashing.
const prime0: u64 = 0x9e3779b185ebca87;
const prime1: u64 = 0xc2b2ae3d27d4eb4f;
let seed: u64 = 0;

export function setSeed(value: u32): void {
  seed = ((value as u64) * prime1) ^ prime0;
}

/** Writes the tables of this file; once for each instance, before anything else. */
export function prepare(): void {
  for (let n: usize = 0; n <= 16; n++)
    for (let k: usize = 0; k < 16; k++) store<u8>(masks + n * 16 + k, k < n ? 0xff : 0);
  for (let c: usize = 0; c < 256; c++) {
    const isLetter =
      c == 0x22 || c == 0x5c || c == 0x2f || c == 0x62 || c == 0x66 || c == 0x6e || c == 0x72 || c == 0x74;
    const isHex = (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);
    store<u8>(letters + c, (isLetter ? 1 : 0) | (isHex ? 2 : 0));
  }
}

/** One bit for each of 16 bytes that ends the plain part of a string: quote, backslash, control character. */
// @ts-ignore: decorator
@inline
export function endsIn(v: v128): i32 {
  return i8x16.bitmask(
    v128.or(
      v128.or(i8x16.eq(v, i8x16.splat(0x22)), i8x16.eq(v, i8x16.splat(0x5c))),
      i8x16.le_u(v, i8x16.splat(0x1f)),
    ),
  );
}

/** Position of the first byte from `p` on that ends the plain part of a string. */
// @ts-ignore: decorator
@inline
export function endOfPlain(start: usize): usize {
  let p = start;
  let found = endsIn(v128.load(p));
  if (found != 0) return p + ctz(found);
  p += 16;
  while (true) {
    const both = endsIn(v128.load(p)) | (endsIn(v128.load(p, 16)) << 16);
    if (both != 0) return p + ctz(both);
    p += 32;
  }
}

/** From a byte that `endOfPlain` found: position of the closing quote, 0 when it is not a JSON string. */
export function endOfEscaped(from: usize): usize {
  let p = from;
  while (true) {
    const c = load<u8>(p);
    if (c == 0x22) return p;
    if (c != 0x5c) return 0;
    const letter = load<u8>(p + 1);
    if (letter == 0x75) {
      const hex =
        load<u8>(letters + (load<u8>(p + 2) as usize)) &
        load<u8>(letters + (load<u8>(p + 3) as usize)) &
        load<u8>(letters + (load<u8>(p + 4) as usize)) &
        load<u8>(letters + (load<u8>(p + 5) as usize));
      if ((hex & 2) == 0) return 0;
      p += 6;
    } else {
      if ((load<u8>(letters + (letter as usize)) & 1) == 0) return 0;
      p += 2;
    }
    p = endOfPlain(p);
  }
}

// @ts-ignore: decorator
@inline
export function keepFirst(v: v128, bytes: usize): v128 {
  return v128.and(v, v128.load(masks + bytes * 16));
}

// @ts-ignore: decorator
@inline
export function fold(v: v128): v128 {
  const upper = i8x16.lt_u(i8x16.sub(v, i8x16.splat(0x41)), i8x16.splat(26));
  return v128.or(v, v128.and(upper, i8x16.splat(0x20)));
}

// @ts-ignore: decorator
@inline
function mix(state: u64, v: v128): u64 {
  const h = (state ^ (i64x2.extract_lane(v, 0) as u64)) * prime0;
  return (h ^ (h >> 32) ^ (i64x2.extract_lane(v, 1) as u64)) * prime1;
}

/** Signature of a member name of at most 16 bytes, the rest of `v` being zero. */
// @ts-ignore: decorator
@inline
export function signatureOfShort(v: v128): u32 {
  return (mix(seed, v) >> 32) as u32;
}

/** Signature of a member name; that of `signatureOfShort` for names of at most 16 bytes. Zero padding is safe: raw names have no NUL. */
export function signatureOf(start: usize, end: usize): u32 {
  let p = start;
  let h = seed;
  for (; p + 16 < end; p += 16) h = mix(h, v128.load(p)) ^ (h >> 29);
  return (mix(h, keepFirst(v128.load(p), end - p)) >> 32) as u32;
}

/** Hash of a text without regard to the case of ASCII letters. */
export function hashOf(start: usize, end: usize): i32 {
  let p = start;
  let h = seed;
  for (; p + 16 < end; p += 16) h = mix(h, fold(v128.load(p))) ^ (h >> 29);
  return (mix(h, fold(keepFirst(v128.load(p), end - p))) >> 32) as i32;
}

/** Whether a byte above 0x7f is in [start, end). Reads on to the end of a block of 16 but does not count what is there. */
export function hasNonAscii(start: usize, end: usize): bool {
  let p = start;
  let seen = i8x16.splat(0);
  for (; p + 16 < end; p += 16) seen = v128.or(seen, v128.load(p));
  return i8x16.bitmask(v128.or(seen, keepFirst(v128.load(p), end - p))) != 0;
}

/**
 * Whether [start, end) is UTF-8 without overlong forms and surrogates. The algorithm is that of Keiser and Lemire, "Validating UTF-8 in less than
 * one instruction per byte" (2020): three table look-ups by nibble leave the bits of the errors that two neighbours make.
 * 16 zero bytes follow `end`.
 */
export function isUtf8(start: usize, end: usize): bool {
  // Bits: 1 too short, 2 too long, 4 overlong 3, 8 too large, 16 surrogate, 32 overlong 2, 64 too large or overlong 4, 128 two continuations.
  const byte1High = i8x16(2, 2, 2, 2, 2, 2, 2, 2, -128, -128, -128, -128, 0x21, 1, 0x15, 0x49);
  const byte1Low = i8x16(
    -25, -93, -125, -125, -117, -53, -53, -53, -53, -53, -53, -53, -53, -37, -53, -53,
  );
  const byte2High = i8x16(1, 1, 1, 1, 1, 1, 1, 1, -26, -82, -70, -70, 1, 1, 1, 1);
  const low = i8x16.splat(0x0f);
  let before = i8x16.splat(0);
  let wrong = i8x16.splat(0);
  for (let p = start; p <= end; p += 16) {
    const v = v128.load(p);
    if (i8x16.bitmask(v128.or(v, before)) != 0) {
      const before1 = i8x16.shuffle(before, v, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
      const before2 = i8x16.shuffle(before, v, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
      const before3 = i8x16.shuffle(before, v, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28);
      const special = v128.and(
        v128.and(
          i8x16.swizzle(byte1High, i8x16.shr_u(before1, 4)),
          i8x16.swizzle(byte1Low, v128.and(before1, low)),
        ),
        i8x16.swizzle(byte2High, i8x16.shr_u(v, 4)),
      );
      // A third byte of three or four, or a fourth of four, is a continuation after a continuation: allowed exactly there.
      const third = i8x16.sub_sat_u(before2, i8x16.splat(0x60));
      const fourth = i8x16.sub_sat_u(before3, i8x16.splat(0x70));
      const expected = v128.and(v128.or(third, fourth), i8x16.splat(-128));
      wrong = v128.or(wrong, v128.xor(expected, special));
    }
    before = v;
  }
  return !v128.any_true(wrong);
}
