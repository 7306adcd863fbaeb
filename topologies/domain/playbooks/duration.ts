// ISO 8601 durations of fixed length: weeks, or days, hours, minutes and seconds. Years and months have no fixed length.
import { playbookLimits } from './limits.ts';

const format = /^P(?:(\d{1,9})W|(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?)$/;

/** Milliseconds of a duration such as PT1H, or why it is none that a playbook may have. */
export function parseDuration(text: string): number | { readonly error: string } {
  const match = format.exec(text);
  const units = match?.slice(1).filter((digits) => digits !== undefined) ?? [];
  if (match === null || units.length === 0)
    return { error: 'is no ISO 8601 duration such as PT1H or P1DT12H' };
  const [weeks, days, hours, minutes, seconds] = match.slice(1).map((digits) => Number(digits ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const total = ((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
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
