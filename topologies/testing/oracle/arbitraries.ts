// Rules and events that meet each other often and hurt: few names, few values, and the shapes that break readers.
import type { Rule, ValueList } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';
import type { ReferenceContext } from '../../domain/rules/reference/one-element.ts';
import { type FieldKind, list, operators, range, severityKind, textKind } from './operators.ts';
import {
  addresses,
  dates,
  ids,
  moment,
  names,
  networks,
  numbers,
  oddSeverities,
  severityWords,
  texts,
  types,
} from './vocabulary.ts';

const scalar = fc.oneof(
  fc.constantFrom<unknown>(...texts),
  fc.constantFrom<unknown>(...numbers),
  fc.boolean(),
  fc.constantFrom<unknown>(...addresses),
  fc.constantFrom<unknown>(...dates),
);
const leaf = fc.oneof({ weight: 5, arbitrary: scalar }, { weight: 1, arbitrary: fc.constant(null) });

/** An object whose members are own, `__proto__` included, as JSON.parse makes them. */
function object(value: fc.Arbitrary<unknown>, keys = names): fc.Arbitrary<Record<string, unknown>> {
  const entries = fc.uniqueArray(fc.tuple(fc.constantFrom(...keys), value), {
    maxLength: 4,
    selector: ([key]) => key,
  });
  return entries.map((pairs) => parsed(pairs));
}

function parsed(pairs: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const members = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return JSON.parse(`{${members.join(',')}}`);
}

const tree = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    { weight: 4, arbitrary: leaf },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
    { weight: 3, arbitrary: object(tie('value')) },
  ),
})).value;

const severityData = fc.oneof(
  fc.constantFrom<unknown>(...severityWords),
  fc.constantFrom<unknown>(...oddSeverities),
);
const idData = fc.oneof(
  fc.constantFrom<unknown>(...ids, 89, null),
  fc.array(fc.constantFrom<unknown>(...ids, 3), { maxLength: 3 }),
);

function sometimes(value: fc.Arbitrary<unknown>): fc.Arbitrary<readonly [unknown] | null> {
  return fc.option(
    value.map((one) => [one] as const),
    { freq: 2 },
  );
}

/** Members at data., nested or flat. */
const data = fc
  .record({
    severity: sometimes(severityData),
    'asset.tags': sometimes(fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }))),
    asset: sometimes(object(fc.array(leaf, { maxLength: 2 }), ['tags', 'group', 'groups'])),
    asset_group: sometimes(leaf),
    scan_type: sometimes(leaf),
    scan: sometimes(object(leaf, ['type', 'category'])),
    cve: sometimes(idData),
    vulnerability: sometimes(fc.oneof(idData, object(idData, ['id', 'ids', 'cwe']))),
    vulnerabilities: sometimes(fc.array(fc.oneof(idData, object(idData, ['id'])), { maxLength: 2 })),
    items: sometimes(
      fc.array(fc.oneof({ weight: 4, arbitrary: object(tree) }, { weight: 1, arbitrary: tree }), {
        maxLength: 3,
      }),
    ),
    a: sometimes(tree),
    b: sometimes(tree),
    'a.b': sometimes(tree),
    __proto__own: sometimes(tree),
    constructor: sometimes(tree),
  })
  .map((members) =>
    parsed(
      Object.entries(members).flatMap(([key, value]) =>
        value ? [[key === '__proto__own' ? '__proto__' : key, value[0]] as const] : [],
      ),
    ),
  );

export const eventArbitrary: fc.Arbitrary<Record<string, unknown>> = fc
  .record({
    event: fc.constantFrom(...types),
    data: fc.option(data, { freq: 8 }),
    flat: sometimes(tree),
    other: sometimes(tree),
  })
  .map(({ event, data: content, flat, other }) =>
    parsed([
      ['event', event],
      ...(content ? [['data', content] as const] : []),
      ...(flat ? [['data.a', flat[0]] as const] : []),
      ...(other ? [['a', other[0]] as const] : []),
    ]),
  );

export const rowArbitrary = data;

const paths = [
  'a',
  'b',
  'a.b',
  'a.b.a',
  'tags',
  '__proto__',
  '__proto__.a',
  'constructor',
  'toString',
  'a.a',
  'a.toString',
];

const idKind: FieldKind = { value: fc.constantFrom(...ids), bound: null, isText: false, lists: true };

type Entry = fc.Arbitrary<readonly [string, unknown]>;
type Weighted = { readonly weight: number; readonly arbitrary: Entry };

// fast-check's types lose the tuple when weights differ.
const weighted = (...parts: Weighted[]): Entry => fc.oneof(...parts) as Entry;

function entryOf(names: readonly string[], wanted: fc.Arbitrary<unknown>): Entry {
  return fc.tuple(fc.constantFrom(...names), wanted);
}

/** Objects like `when`: conditions, blocks, and `each` over the paths with such objects over elements. */
function blocks(entry: Entry, each: Entry | null): fc.Arbitrary<Record<string, unknown>> {
  return fc.letrec((tie) => {
    const several = fc.array(tie('block'), { minLength: 1, maxLength: 3 });
    const nested: Entry = fc.oneof(
      fc.tuple(fc.constantFrom('any', 'all'), several),
      tie('block').map((block) => ['not', block] as const),
    ) as Entry;
    const entries = fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      { weight: 6, arbitrary: entry },
      ...(each === null ? [] : [{ weight: 1, arbitrary: each }]),
      { weight: 3, arbitrary: nested },
    );
    return {
      block: fc
        .uniqueArray(entries, { minLength: 1, maxLength: 3, selector: ([key]) => key })
        .map((pairs) => parsed(pairs)),
    };
  }).block as fc.Arbitrary<Record<string, unknown>>;
}

function eachOf(paths: readonly string[], match: fc.Arbitrary<unknown>): Entry {
  return fc
    .tuple(fc.constantFrom(...paths), match, fc.constantFrom(null, 'any', 'all'))
    .map(([path, one, quantifier]) => [
      'each',
      { path, match: one, ...(quantifier === null ? {} : { quantifier }) },
    ]);
}

// Within an element every name is a member, those that are aliases elsewhere too.
const elementPaths = [
  'a',
  'b',
  'a.b',
  'element.a',
  '__proto__',
  'severity',
  'tags',
  'constructor',
  'element.any',
];
const elementEntry = entryOf(elementPaths, operators(textKind, elementPaths));
const elementBlock = blocks(elementEntry, eachOf(elementPaths, blocks(elementEntry, null)));

function sharedEntries(paths: readonly string[]): Entry {
  return fc.oneof(
    entryOf(['severity'], operators(severityKind, paths)),
    entryOf(['min_severity'], fc.constantFrom(...severityWords)),
    entryOf(['asset_tags', 'asset_groups'], operators(textKind, paths)),
    entryOf(['vulnerabilities'], operators(idKind, paths)),
  ) as Entry;
}

const eventPaths = [
  ...[...paths, 'items', 'items.a'].map((path) => `data.${path}`),
  'envelope.a',
  'envelope.a.b',
  'event',
  'id',
  'data.*',
  'data.items.*',
  '*',
];
const onEvents = operators(textKind, eventPaths);
const severityPath = fc.oneof(range(fc.constantFrom(...severityWords)), onEvents);
const excluded = [...types, 'finding.*', 'finding.critical', 'scan.low', 'Finding.none'];

const eventEntry = weighted(
  { weight: 4, arbitrary: sharedEntries(eventPaths) },
  { weight: 1, arbitrary: entryOf(['events'], list(fc.constantFrom(...types, 'finding.*', 'A.*'))) },
  { weight: 1, arbitrary: entryOf(['exclude'], list(fc.constantFrom(...excluded))) },
  { weight: 1, arbitrary: entryOf(['scan_type', 'scan_category', 'category'], onEvents) },
  { weight: 1, arbitrary: entryOf(['data.severity'], severityPath) },
  { weight: 6, arbitrary: entryOf(eventPaths, onEvents) },
);

const rowPaths = [
  ...paths,
  'a.*',
  '*',
  'items',
  'items.b',
  'row.a',
  'row.severity',
  'search.a',
  'search.a.b',
];
const rowEntry = weighted(
  { weight: 2, arbitrary: sharedEntries(rowPaths) },
  { weight: 4, arbitrary: entryOf(rowPaths, operators(textKind, rowPaths)) },
);

function rule(
  source: 'events' | 'search-results',
  entry: Entry,
  eachPaths: readonly string[],
): fc.Arbitrary<Rule> {
  return blocks(entry, eachOf(eachPaths, elementBlock)).map((when) => ({
    kind: 'rule',
    id: 'r',
    source,
    when,
    then: [{ action: 'a' }],
  }));
}

export const eventRuleArbitrary = rule('events', eventEntry, [
  'data.items',
  'data.a',
  'data.items.a',
  'envelope.a',
]);
export const rowRuleArbitrary = rule('search-results', rowEntry, ['items', 'a', 'search.items']);

function valueList(
  id: string,
  comparison: NonNullable<ValueList['comparison']>,
  value: fc.Arbitrary<unknown>,
  include: readonly string[] = [],
): fc.Arbitrary<ValueList> {
  return fc.array(value as fc.Arbitrary<string | number | boolean>, { maxLength: 4 }).map((values) => ({
    kind: 'list',
    id,
    comparison,
    values,
    include: [...include],
  }));
}

/** A moment, and lists under the ids that generated rules name. */
export const contextArbitrary: fc.Arbitrary<ReferenceContext> = fc
  .record({
    now: fc.constantFrom(moment, moment + 1, moment - 86_400_000),
    lists: fc.tuple(
      valueList('plain', 'text', fc.constantFrom<unknown>(...texts, ...ids, 1, 9.8, true)),
      valueList('exact', 'exact', fc.constantFrom<unknown>(...texts, 2.5, false)),
      valueList('ids', 'identifier', fc.constantFrom(...ids)),
      valueList('networks', 'cidr', fc.constantFrom(...networks)),
      valueList('numbers', 'number', fc.constantFrom(...numbers)),
      valueList('both', 'text', fc.constantFrom<unknown>(...texts), ['plain']),
    ),
  })
  .map(({ now, lists }) => ({ now, lists: new Map(lists.map((one) => [one.id, one])) }));
