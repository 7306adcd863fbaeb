// ISO 8601 durations of fixed length: weeks, or days, hours, minutes and seconds. Years and months have no fixed length.
import { playbookLimits } from './limits.ts';

const format = /^P(?:(\d{1,9})W|(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?)$/;

/** Milliseconds of a duration such as PT1H, however long; null when it is none of fixed length. */
export function isoDurationMs(text: string): number | null {
  const match = format.exec(text);
  if (match === null || match.slice(1).every((digits) => digits === undefined)) return null;
  const [weeks, days, hours, minutes, seconds] = match.slice(1).map((digits) => Number(digits ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return ((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}

/** Milliseconds of a duration such as PT1H, or why it is none that a playbook may have. */
export function parseDuration(text: string): number | { readonly error: string } {
  const total = isoDurationMs(text);
  if (total === null) return { error: 'is no ISO 8601 duration such as PT1H or P1DT12H' };
  return total >= playbookLimits.minDuration && total <= playbookLimits.maxDuration
    ? total
    : { error: 'must be from PT1S to P90D' };
}

/** Milliseconds of a duration that was checked. */
export function durationMs(text: string): number {
  const parsed = parseDuration(text);
  if (typeof parsed === 'number') return parsed;
  throw new Error(`${text} ${parsed.error}`);
}
