// What CACAO itself says of a step: name, description, delay and timeout. Written by the export; the import compares with it, and believes
// the extension only where nobody has changed what CACAO says.
import type { PlaybookStep } from '@tocsin/schemas/types.ts';
import { durationMs } from '../duration.ts';
import { playbookLimits } from '../limits.ts';

export interface Standard {
  readonly name: string;
  readonly description?: string;
  readonly delay?: number;
  readonly timeout?: number;
}

/** Of a step of ours, its durations in ms. Delays that count from something else than the step before have no counterpart. */
export function standardOf({ id, name, description, delay, deadline }: PlaybookStep): Standard {
  const wait =
    typeof delay === 'string'
      ? delay
      : delay !== undefined && 'for' in delay && (delay.after ?? 'previous') === 'previous'
        ? delay.for
        : undefined;
  return {
    name: name ?? id,
    ...(description === undefined || description === '' ? {} : { description }),
    ...(wait === undefined ? {} : { delay: durationMs(wait) }),
    ...(deadline === undefined ? {} : { timeout: durationMs(deadline) }),
  };
}

/** ISO 8601 of ms, rounded up to whole seconds and cut at what a playbook may have. */
export function durationOf(ms: number): { readonly text: string; readonly cut: boolean } {
  const { minDuration, maxDuration } = playbookLimits;
  const within = Math.min(maxDuration, Math.max(minDuration, ms));
  let seconds = Math.ceil(within / 1000);
  const take = (unit: number): number => {
    const count = Math.floor(seconds / unit);
    seconds -= count * unit;
    return count;
  };
  const [days, hours, minutes] = [take(86_400), take(3600), take(60)];
  const day = days === 0 ? '' : `${days}D`;
  const time = [
    [hours, 'H'],
    [minutes, 'M'],
    [seconds, 'S'],
  ] as const;
  const rest = time.flatMap(([count, unit]) => (count === 0 ? [] : [`${count}${unit}`])).join('');
  return { text: `P${day}${rest === '' ? '' : `T${rest}`}`, cut: ms > maxDuration };
}
