// Generated operators: what may stand behind a path, whatever the path names.
import fc from 'fast-check';
import {
  dateBounds,
  listIds,
  networks,
  numbers,
  regexes,
  severityWords,
  texts,
  wildcards,
  zones,
} from './vocabulary.ts';

type Operators = Record<string, unknown>;

/** What a field holds, as far as operators that fit it differ. */
export interface FieldKind {
  readonly value: fc.Arbitrary<unknown>;
  readonly bound: fc.Arbitrary<unknown> | null;
  /** The kind has operators that look inside texts, at dates and at addresses. */
  readonly isText: boolean;
  readonly lists: boolean;
}

export function list<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | T[]> {
  return fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 3 }));
}

const wantedText = fc.constantFrom(...texts.filter((text) => text !== ''));
const scalar = fc.oneof(
  fc.constantFrom<unknown>(...texts),
  fc.constantFrom<unknown>(...numbers),
  fc.boolean(),
);

export function range(bound: fc.Arbitrary<unknown>): fc.Arbitrary<Operators> {
  return fc.oneof(
    fc.tuple(fc.constantFrom('gt', 'gte', 'lt', 'lte'), bound).map(([name, value]) => ({ [name]: value })),
    fc
      .tuple(fc.constantFrom('gt', 'gte'), bound, fc.constantFrom('lt', 'lte'), bound)
      .map(([low, a, high, b]) => ({ [low]: a, [high]: b })),
  );
}

const pattern = fc
  .array(fc.constantFrom('x', 'y', 'Σ', 'İ', '😀', '*', '*', '?', '\\', '\\*', 's'), {
    minLength: 1,
    maxLength: 5,
  })
  .map((parts) => parts.join(''));

const wildcard = list(fc.oneof(fc.constantFrom(...wildcards), pattern)).map((given) => ({ wildcard: given }));

const regex = fc
  .tuple(list(fc.constantFrom(...regexes)), fc.constantFrom(null, 'i', 'm', 's', 'si', 'msi'))
  .map(([given, flags]) => ({ regex: given, ...(flags === null ? {} : { flags }) }));

const cidr = list(fc.constantFrom(...networks)).map((given) => ({ cidr: given }));

const dateBound = fc.constantFrom<unknown>(...dateBounds);
const time = fc.oneof(
  fc.tuple(fc.constantFrom('after', 'before'), dateBound).map(([name, bound]) => ({ [name]: bound })),
  fc
    .constantFrom(['now-7d', 'now'], ['now-7d', '2026-01-15'], ['2026-01-15', 'now+90m'], [0, 'now-1h'])
    .map(([after, before]) => ({ after, before })),
);

const weekday = fc.constantFrom<unknown>('mon', 'Thursday', 'SAT', 'sunday', 1, 4, 7);
const clockPart = fc.oneof(
  list(fc.integer({ min: 0, max: 23 })).map((hour) => ({ hour })),
  list(weekday).map((given) => ({ weekday: given })),
  list(fc.constantFrom(0, 30, 59)).map((minute) => ({ minute })),
  list(fc.constantFrom(1, 15, 29, 31)).map((day) => ({ day })),
  list(fc.constantFrom(1, 3, 52, 53)).map((week) => ({ week })),
  list(fc.constantFrom(1, 3, 10, 12)).map((month) => ({ month })),
  list(fc.constantFrom(1970, 2025, 2026, 9999)).map((year) => ({ year })),
);
const clock = fc
  .tuple(clockPart, clockPart, fc.option(fc.constantFrom(...zones)))
  .map(([one, other, zone]) => ({ ...one, ...other, ...(zone === null ? {} : { time_zone: zone }) }));

const inside = fc
  .tuple(fc.constantFrom('prefix', 'suffix', 'contains', 'contains_all'), list(wantedText))
  .map(([name, values]) => ({ [name]: values }));

const ofTexts: fc.Arbitrary<Operators>[] = [
  inside,
  list(scalar).map((values) => ({ cased: values })),
  fc
    .tuple(fc.constantFrom('prefix', 'suffix', 'contains'), list(wantedText))
    .map(([name, values]) => ({ cased: { [name]: values } })),
  wildcard.map((cased) => ({ cased })),
  list(fc.constantFrom('string', 'number', 'boolean', 'null', 'object', 'value')).map((type) => ({ type })),
  wildcard,
  regex,
  cidr,
  time,
  clock,
];

function related(paths: readonly string[]): fc.Arbitrary<Operators> {
  return fc
    .tuple(fc.constantFrom(...paths), fc.constantFrom('prefix', 'suffix', 'contains'))
    .map(([path, at]) => ({ field: { path, at } }));
}

/** `paths`: what `field` may name. */
export function operators(
  { value, bound, isText, lists }: FieldKind,
  paths: readonly string[],
): fc.Arbitrary<unknown> {
  const orNull = fc.oneof({ weight: 6, arbitrary: value }, { weight: 1, arbitrary: fc.constant(null) });
  const one: fc.Arbitrary<Operators> = fc.oneof(
    fc.tuple(fc.constantFrom('in', 'any'), list(orNull)).map(([name, values]) => ({ [name]: values })),
    fc.tuple(fc.constantFrom('all', 'none'), list(value)).map(([name, values]) => ({ [name]: values })),
    fc.constantFrom(...paths).map((path) => ({ field: path })),
    list(value).map((other) => ({ other_than: other })),
    ...(bound === null ? [] : [range(bound)]),
    ...(lists ? [fc.constantFrom(...listIds).map((id) => ({ in_list: id }))] : []),
    ...(isText ? ofTexts : []),
    ...(isText
      ? [related(paths), fc.oneof(inside, wildcard, cidr, regex).map((other) => ({ other_than: other }))]
      : []),
  );
  const several = fc
    .array(one, { minLength: 1, maxLength: 2 })
    .map((parts) => Object.assign({}, ...parts) as Operators);
  const negated = fc.oneof(list(orNull), several).map((operand) => ({ not: operand }));
  const exists = fc.boolean().map((there) => ({ exists: there }));
  return fc.oneof(
    { weight: 4, arbitrary: list(orNull) },
    { weight: 6, arbitrary: several },
    { weight: 2, arbitrary: negated },
    { weight: 1, arbitrary: exists },
    { weight: 1, arbitrary: fc.tuple(several, fc.oneof(negated, exists)).map(([a, b]) => ({ ...a, ...b })) },
  );
}

export const textKind: FieldKind = {
  value: scalar,
  bound: fc.constantFrom<unknown>(...numbers),
  isText: true,
  lists: true,
};

export const severityKind: FieldKind = {
  value: fc.constantFrom(...severityWords),
  bound: fc.constantFrom(...severityWords),
  isText: false,
  lists: false,
};
