// hour, weekday and other parts of a date: an element is a point in time whose part, in a time zone, is one of the numbers.
import type { Operator } from './operator.ts';

export const clockParts = ['minute', 'hour', 'day', 'weekday', 'week', 'month', 'year'] as const;
export type ClockPart = (typeof clockParts)[number];

/** Every part that is given must be one of its numbers. weekday: 1 Monday to 7 Sunday; week: ISO 8601; day: of the month. */
export interface ClockTest {
  readonly op: 'clock';
  readonly parts: Readonly<Partial<Record<ClockPart, readonly number[]>>>;
  /** IANA name, such as Europe/Berlin or UTC. */
  readonly zone: string;
}

export const clockOperator: Operator<ClockTest> = {
  parse: (part) => part.refuse('the parts of a date are not supported in this version'),
  compile: () => ({ on: 'element', holds: () => false, holdsAbsent: false }),
};
