// Numbers: the grammar of RFC 8259 section 6, the limits of parseJson, and the double where it is cheap to have exactly.
//
// Invariant: `numberValue` is the double that JSON.parse gives, unless `numberIsSlow`; then the host converts the text.
import { maxNumberBytes } from '../layout';

export let numberValue: f64 = 0;
export let numberIsSlow: bool = false;
/** The number is JSON but not one that parseJson surely takes. */
export let numberIsOdd: bool = false;

// Powers of ten that a double holds exactly.
const powers: usize = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
]);
const mostExact: u64 = 9007199254740991;

// @ts-ignore: decorator
@inline
function isDigit(c: u32): bool {
  return c - 0x30 < 10;
}

/** Position after the number that begins at `start`; 0 when there is none or it is odd, and `numberIsOdd` tells which. */
export function endOfNumber(start: usize): usize {
  let p = start;
  let c: u32 = load<u8>(p);
  const negative = c == 0x2d;
  if (negative) c = load<u8>(++p);
  let digits = c - 0x30;
  numberIsOdd = false;
  if (digits > 9) return 0;
  let mantissa: u64 = digits;
  const firstDigit = p;
  c = load<u8>(++p);
  if (digits != 0)
    while (isDigit(c)) {
      mantissa = mantissa * 10 + ((c - 0x30) as u64);
      c = load<u8>(++p);
    }
  let count = p - firstDigit;
  if (c != 0x2e && (c | 0x20) != 0x65) {
    if (count > 15 && (count > 16 || mantissa > mostExact)) {
      numberIsOdd = true;
      return 0;
    }
    const whole = mantissa as f64;
    numberValue = negative ? -whole : whole;
    numberIsSlow = false;
    return p;
  }
  let exponent: i32 = 0;
  if (c == 0x2e) {
    const firstDecimal = p + 1;
    c = load<u8>(++p);
    if (!isDigit(c)) return 0;
    do {
      mantissa = mantissa * 10 + ((c - 0x30) as u64);
      c = load<u8>(++p);
    } while (isDigit(c));
    exponent = (firstDecimal as i32) - (p as i32);
    count += (p - firstDecimal);
  }
  if ((c | 0x20) == 0x65) {
    c = load<u8>(++p);
    const down = c == 0x2d;
    if (down || c == 0x2b) c = load<u8>(++p);
    if (!isDigit(c)) return 0;
    let written: i32 = 0;
    do {
      if (written < 1000) written = written * 10 + ((c as i32) - 0x30);
      c = load<u8>(++p);
    } while (isDigit(c));
    // With at most 100 digits before it, an exponent within 180 can neither overflow nor become zero.
    if (written > 180) {
      numberIsOdd = true;
      return 0;
    }
    exponent += down ? -written : written;
  }
  if (p - start > (maxNumberBytes as usize)) {
    numberIsOdd = true;
    return 0;
  }
  // One rounding of two exact doubles is exact (Clinger 1990). 19 digits fit 64 bits; more have wrapped around.
  numberIsSlow = count > 19 || mantissa > mostExact || exponent < -22 || exponent > 22;
  if (!numberIsSlow) {
    const whole = mantissa as f64;
    const value =
      exponent < 0
        ? whole / load<f64>(powers + ((-exponent) << 3))
        : whole * load<f64>(powers + (exponent << 3));
    numberValue = negative ? -value : value;
  }
  return p;
}

/** Position after the number that begins at `start`, whatever its value; 0 when there is none. */
export function endOfNumberText(start: usize): usize {
  let p = start;
  let c: u32 = load<u8>(p);
  if (c == 0x2d) c = load<u8>(++p);
  if (!isDigit(c)) return 0;
  const zero = c == 0x30;
  c = load<u8>(++p);
  if (!zero) while (isDigit(c)) c = load<u8>(++p);
  if (c == 0x2e) {
    c = load<u8>(++p);
    if (!isDigit(c)) return 0;
    while (isDigit(c)) c = load<u8>(++p);
  }
  if ((c | 0x20) == 0x65) {
    c = load<u8>(++p);
    if (c == 0x2d || c == 0x2b) c = load<u8>(++p);
    if (!isDigit(c)) return 0;
    while (isDigit(c)) c = load<u8>(++p);
  }
  return p;
}

/** Position after `true`, `false` or `null` at `p`; 0 when none of them is there. */
export function endOfLiteral(p: usize): usize {
  const word = load<u32>(p);
  if (word == 0x65757274 || word == 0x6c6c756e) return p + 4;
  return word == 0x736c6166 && load<u8>(p + 4) == 0x65 ? p + 5 : 0;
}
