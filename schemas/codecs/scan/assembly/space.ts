// White space between tokens: RFC 8259 section 2.

// @ts-ignore: decorator
@inline
function isSpace(c: u32): bool {
  return c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09;
}

/** Position of the first byte from `start` on that is not white space. */
export function afterSpace(start: usize): usize {
  let p = start;
  while (isSpace(load<u8>(p))) p++;
  return p;
}
