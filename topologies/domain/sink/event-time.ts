// Epoch milliseconds of an RFC 3339 time that lies as bytes in a buffer, without making a string.

/**
 * The time in `bytes[start, end)`: `2026-04-28T12:00:00Z`, with up to nine fraction digits (cut to ms) and `Z` or an offset.
 * NaN for anything else, a leap second included.
 */
export function epochMsOf(bytes: Buffer, start: number, end: number): number {
  if (end - start < 20) return Number.NaN;
  const base = sameMinute(bytes, start) ? minuteMs : readMinute(bytes, start);
  const second = two(bytes, start + 17);
  if (!(second <= 59) || bytes[start + 16] !== 0x3a) return Number.NaN;
  let i = start + 19;
  let ms = 0;
  if (bytes[i] === 0x2e) {
    const from = ++i;
    for (let scale = 100; i < end && isDigit(bytes[i]!); i++, scale = scale >= 10 ? scale / 10 : 0)
      ms += (bytes[i]! - 0x30) * scale;
    if (i === from || i - from > 9) return Number.NaN;
  }
  const offset = offsetMinutes(bytes, i, end);
  return base + (second - offset * 60) * 1000 + ms;
}

// Events of one stream share their minute: it is read once and compared afterwards.
const minuteBytes = 16;
const minuteText = new Uint8Array(minuteBytes);
let minuteMs = Number.NaN;

function sameMinute(bytes: Buffer, start: number): boolean {
  for (let k = minuteBytes - 1; k >= 0; k--) if (bytes[start + k] !== minuteText[k]) return false;
  return true;
}

/** Epoch ms of `2026-04-28T12:00` read as UTC; NaN when it is no such minute. */
function readMinute(bytes: Buffer, start: number): number {
  const year = two(bytes, start) * 100 + two(bytes, start + 2);
  const month = two(bytes, start + 5);
  const day = two(bytes, start + 8);
  const hour = two(bytes, start + 11);
  const minute = two(bytes, start + 14);
  const t = bytes[start + 10]!;
  if (
    !(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)) ||
    !(hour <= 23 && minute <= 59) ||
    bytes[start + 4] !== 0x2d ||
    bytes[start + 7] !== 0x2d ||
    (t !== 0x54 && t !== 0x74 && t !== 0x20) ||
    bytes[start + 13] !== 0x3a
  )
    return Number.NaN;
  for (let k = 0; k < minuteBytes; k++) minuteText[k] = bytes[start + k]!;
  minuteMs = ((daysFromCivil(year, month, day) * 24 + hour) * 60 + minute) * 60_000;
  return minuteMs;
}

function offsetMinutes(bytes: Buffer, i: number, end: number): number {
  const sign = bytes[i];
  if (sign === 0x5a || sign === 0x7a) return i + 1 === end ? 0 : Number.NaN;
  if ((sign !== 0x2b && sign !== 0x2d) || i + 6 !== end || bytes[i + 3] !== 0x3a) return Number.NaN;
  const hour = two(bytes, i + 1);
  const minute = two(bytes, i + 4);
  if (!(hour <= 23 && minute <= 59)) return Number.NaN;
  return sign === 0x2b ? hour * 60 + minute : -(hour * 60 + minute);
}

function two(bytes: Buffer, at: number): number {
  const high = bytes[at]! - 0x30;
  const low = bytes[at + 1]! - 0x30;
  return high >= 0 && high <= 9 && low >= 0 && low <= 9 ? high * 10 + low : Number.NaN;
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

// Days since 1970-01-01 in the proleptic Gregorian calendar: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
