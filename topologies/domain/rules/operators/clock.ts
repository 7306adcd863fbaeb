// hour, weekday and other parts of a date: an element is a point in time whose part, in a time zone, is one of the numbers.
import { clockParts, readInstant } from '../instant.ts';
import { zoneOffset } from '../time-zone.ts';
import type { Operator, Part } from './operator.ts';
import { entriesOf } from './values.ts';

export type ClockPart = keyof ReturnType<typeof clockParts>;

/** Every part that is given must be one of its numbers. weekday: 1 Monday to 7 Sunday; week: ISO 8601; day: of the month. */
export interface ClockTest {
  readonly op: 'clock';
  readonly parts: Readonly<Partial<Record<ClockPart, readonly number[]>>>;
  /** IANA name, such as Europe/Berlin or UTC. */
  readonly zone: string;
}

const bounds: Readonly<Record<ClockPart, readonly [number, number]>> = {
  minute: [0, 59],
  hour: [0, 23],
  day: [1, 31],
  weekday: [1, 7],
  week: [1, 53],
  month: [1, 12],
  year: [0, 9999],
};

const partNames = Object.keys(bounds) as ClockPart[];
export const clockNames = [...partNames, 'time_zone'] as const;

const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** Takes the whole object of operators: the parts are those of one element, and one zone is for all of them. */
export const clockOperator: Operator<ClockTest> = {
  parse(part) {
    const given = part.value as Readonly<Record<string, unknown>>;
    const named = partNames.filter((name) => Object.hasOwn(given, name));
    const [first] = named;
    const { time_zone: zone = 'UTC' } = given;
    if (first === undefined) return part.at('time_zone', zone).refuse(`is for ${partNames.join(', ')} alone`);
    if (part.comparison !== 'text')
      return part.at(first, given[first]).refuse('this operator does not fit here');
    const parts: Partial<Record<ClockPart, number[]>> = {};
    for (const name of named) {
      const numbers = parseNumbers(part.at(name, given[name]), name);
      if (numbers === null) return null;
      parts[name] = numbers;
    }
    if (typeof zone !== 'string' || zoneOffset(zone) === null)
      return part.at('time_zone', zone).refuse('must be a time zone such as Europe/Berlin or UTC');
    return { op: 'clock', parts, zone };
  },
  compile({ parts, zone }) {
    const offset = zoneOffset(zone) ?? (() => 0);
    const wanted = Object.entries(parts).map(
      ([name, numbers]) => [name as ClockPart, new Set(numbers)] as const,
    );
    const holds = (element: unknown): boolean => {
      const time = readInstant(element);
      if (time === undefined) return false;
      const shown = clockParts(time, offset(time));
      return wanted.every(([name, numbers]) => numbers.has(shown[name]));
    };
    return { on: 'element', holds, holdsAbsent: false };
  },
};

function parseNumbers(part: Part, name: ClockPart): number[] | null {
  const numbers = entriesOf(part)?.map((entry) => parseNumber(entry, name)) ?? null;
  return numbers === null || numbers.includes(null) ? null : (numbers as number[]);
}

function parseNumber(part: Part, name: ClockPart): number | null {
  const value = name === 'weekday' ? weekdayNumber(part.value) : part.value;
  const [low, high] = bounds[name];
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value;
  return part.refuse(
    name === 'weekday'
      ? 'must be a weekday such as mon or monday, or 1 (Monday) to 7'
      : `must be a whole number from ${low} to ${high}`,
  );
}

function weekdayNumber(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const word = value.toLowerCase();
  const index = weekdays.findIndex((name) => name === word || name.slice(0, 3) === word);
  return index === -1 ? value : index + 1;
}
