// White space between tokens: RFC 8259 section 2.

/** Position of the first byte from `start` on that is not white space. */
export function afterSpace(start: usize): usize {
  let p = start;
  // One blank after a colon or comma is the usual case.
  if (load<u8>(p) == 0x20 && load<u8>(p + 1) > 0x20) return p + 1;
  // The four characters of white space differ in their lower nibbles, by which a table gives the only candidate.
  const candidates = i8x16(0x20, -1, -1, -1, -1, -1, -1, -1, -1, 0x09, 0x0a, -1, -1, 0x0d, -1, -1);
  while (true) {
    const v = v128.load(p);
    const other =
      i8x16.bitmask(i8x16.eq(i8x16.swizzle(candidates, v128.and(v, i8x16.splat(0x0f))), v)) ^ 0xffff;
    if (other != 0) return p + ctz(other);
    p += 16;
  }
}
