// Points in time, as data and rules write them: ISO 8601 texts, and epoch seconds or milliseconds as numbers.
//
// Invariant: a text without a zone is UTC, so that an event means the same on every machine. Numbers below 1e11 (the year
// 5138 in seconds, March 1973 in milliseconds) are seconds, others milliseconds.

const format =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,18}))?)?(?:([Zz])|([+-])(\d{2})(?::?(\d{2}))?)?)?$/;

/** Largest distance from the epoch that JavaScript dates have, ms (ECMA-262 section 21.4.1.1). */
const maxTime = 8.64e15;
const dayMs = 86_400_000;

/** Epoch ms of an element; undefined when it is no point in time. */
export function readInstant(element: unknown): number | undefined {
  if (typeof element === 'string') return parseInstant(element);
  if (typeof element !== 'number') return undefined;
  const time = Math.abs(element) < 1e11 ? element * 1000 : element;
  return Math.abs(time) <= maxTime ? time : undefined;
}

/**
 * Epoch ms of an ISO 8601 date, or date and time with `T` or a space between them, seconds and their fraction optional,
 * zone Z, +hh:mm, +hhmm or +hh. Fractions beyond milliseconds are cut; a leap second is the second behind it.
 */
export function parseInstant(text: string): number | undefined {
  const match = format.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((digits) => Number(digits ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [fraction = '', , sign, zoneHour = '0', zoneMinute = '0'] = match.slice(7);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 60 || Number(zoneHour) > 23 || Number(zoneMinute) > 59)
    return undefined;
  const offset = (sign === '-' ? -1 : 1) * (Number(zoneHour) * 60 + Number(zoneMinute));
  const seconds = daysFromCivil(year, month, day) * 86_400 + hour * 3600 + (minute - offset) * 60 + second;
  return seconds * 1000 + Number(fraction.slice(0, 3).padEnd(3, '0'));
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

// Howard Hinnant, chrono-Compatible Low-Level Date Algorithms: a year begins in March, so that the leap day ends it.
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

export interface ClockParts {
  readonly minute: number;
  readonly hour: number;
  /** Of the month. */
  readonly day: number;
  /** 1 Monday to 7 Sunday. */
  readonly weekday: number;
  /** ISO 8601: week 1 has the first Thursday of the year. */
  readonly week: number;
  readonly month: number;
  readonly year: number;
}

/** What a clock and a calendar show that are `offset` ms ahead of UTC. */
export function clockParts(time: number, offset: number): ClockParts {
  const local = Math.floor(time) + offset;
  const days = Math.floor(local / dayMs);
  const minutes = Math.floor((local - days * dayMs) / 60_000);
  const weekday = mod(days + 3, 7) + 1;
  const { year, month, day } = civilFromDays(days);
  const thursday = days - weekday + 4;
  const firstOfYear = daysFromCivil(civilFromDays(thursday).year, 1, 1);
  return {
    minute: minutes % 60,
    hour: Math.floor(minutes / 60),
    day,
    weekday,
    week: Math.floor((thursday - firstOfYear) / 7) + 1,
    month,
    year,
  };
}

function civilFromDays(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by;
}
