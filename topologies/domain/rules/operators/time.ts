// after, before: an element is a point in time within the bounds: not earlier than `after`, earlier than `before`. So
// {after: 2026-01-01, before: 2026-02-01} is the whole January and nothing else.
import { readInstant } from '../instant.ts';
import type { Operator, Part } from './operator.ts';

/** Epoch ms, or so many ms before the moment of the question; a negative `ago` lies in the future. */
export type TimeBound = { readonly at: number } | { readonly ago: number };

export interface TimeTest {
  readonly op: 'time';
  /** Inclusive. */
  readonly after?: TimeBound;
  /** Exclusive. */
  readonly before?: TimeBound;
}

export const timeNames = ['after', 'before'] as const;

/** Takes the whole object of operators, because both ends are one test on one element. */
export const timeOperator: Operator<TimeTest> = {
  parse(part) {
    const given = part.value as Readonly<Record<string, unknown>>;
    const test: { op: 'time'; after?: TimeBound; before?: TimeBound } = { op: 'time' };
    for (const name of timeNames) {
      if (!Object.hasOwn(given, name)) continue;
      const bound = parseBound(part.at(name, given[name]));
      if (bound === null) return null;
      test[name] = bound;
    }
    return isEmpty(test) ? part.refuse('nothing lies within these bounds') : test;
  },
  compile({ after, before }) {
    const holds = (element: unknown, { now }: { readonly now: number }): boolean => {
      const time = readInstant(element);
      if (time === undefined) return false;
      return (
        (after === undefined || time >= at(after, now)) && (before === undefined || time < at(before, now))
      );
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};

function at(bound: TimeBound, now: number): number {
  return 'at' in bound ? bound.at : now - bound.ago;
}

const unitMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

function parseBound(part: Part): TimeBound | null {
  if (part.comparison !== 'text') return part.refuse('this operator does not fit here');
  const { value } = part;
  const relative = typeof value === 'string' ? /^now(?:([+-])(\d{1,9})([smhdw]))?$/.exec(value) : null;
  if (relative !== null) {
    const [, sign, count = '0', unit = 's'] = relative;
    const span = Number(count) * (unitMs[unit] as number);
    return { ago: sign === '+' && span > 0 ? -span : span };
  }
  const time = readInstant(value);
  return time === undefined
    ? part.refuse('must be an ISO 8601 date, epoch seconds or ms, or now-7d (s, m, h, d, w)')
    : { at: time };
}

function isEmpty({ after, before }: TimeTest): boolean {
  if (after === undefined || before === undefined) return false;
  if ('at' in after && 'at' in before) return after.at >= before.at;
  return 'ago' in after && 'ago' in before && after.ago <= before.ago;
}
