// Rules and events that meet each other often and hurt: few names, few values, and the shapes that break readers.
import type { Rule } from '@tocsin/schemas/types.ts';
import fc from 'fast-check';

const names = ['a', 'b', 'tags', '__proto__', 'constructor', 'toString', 'a.b'];
const texts = [
  'x',
  'X',
  'xy',
  'YX',
  'Σας',
  'ΣΑΣ',
  'σ',
  'İ',
  'i̇',
  'straße',
  'STRASSE',
  '',
  ' ',
  'true',
  '1',
  'high',
  '__proto__',
  '😀',
];
const severityWords = [
  'info',
  'Informational',
  'none',
  'low',
  'MEDIUM',
  'moderate ',
  ' High',
  'important',
  'critical',
];
const oddSeverities = [
  'Kritisch',
  '',
  11,
  -1,
  null,
  true,
  ['high'],
  ['low', ['CRITICAL ']],
  'constructor',
  {},
];
const types = [
  'finding.new',
  'Finding.New',
  'finding.status_changed',
  'finding',
  'finding.info',
  'findings.new',
  'scan.completed',
  'a.b.c',
  '__proto__',
];
const ids = ['CVE-2024-3094', ' cve-2024-3094', 'cwe-89', 'CWE-89 ', 'GHSA-aaaa-bbbb-cccc', 'sqli-detect'];
const numbers = [0, -0, 1, 2, 2.5, 9.8, -1, 1e21, 5e-324];

const scalar = fc.oneof(
  fc.constantFrom<unknown>(...texts),
  fc.constantFrom<unknown>(...numbers),
  fc.boolean(),
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

function list<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | T[]> {
  return fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 3 }));
}

const wantedText = fc.constantFrom(...texts.filter((text) => text !== ''));

function range(bound: fc.Arbitrary<unknown>): fc.Arbitrary<Record<string, unknown>> {
  return fc.oneof(
    fc.tuple(fc.constantFrom('gt', 'gte', 'lt', 'lte'), bound).map(([name, value]) => ({ [name]: value })),
    fc
      .tuple(fc.constantFrom('gt', 'gte'), bound, fc.constantFrom('lt', 'lte'), bound)
      .map(([low, a, high, b]) => ({ [low]: a, [high]: b })),
  );
}

interface Vocabulary {
  readonly value: fc.Arbitrary<unknown>;
  readonly inside: boolean;
  readonly bound: fc.Arbitrary<unknown> | null;
}

function operators({ value, inside, bound }: Vocabulary): fc.Arbitrary<unknown> {
  const orNull = fc.oneof({ weight: 6, arbitrary: value }, { weight: 1, arbitrary: fc.constant(null) });
  const one = fc.oneof(
    fc.tuple(fc.constantFrom('in', 'any'), list(orNull)).map(([name, values]) => ({ [name]: values })),
    fc.tuple(fc.constantFrom('all', 'none'), list(value)).map(([name, values]) => ({ [name]: values })),
    ...(bound === null ? [] : [range(bound)]),
    ...(inside
      ? [
          fc
            .tuple(fc.constantFrom('prefix', 'suffix', 'contains', 'contains_all'), list(wantedText))
            .map(([name, values]) => ({ [name]: values })),
          list(scalar).map((values) => ({ cased: values })),
        ]
      : []),
  );
  const several = fc
    .array(one, { minLength: 1, maxLength: 2 })
    .map((parts) => Object.assign({}, ...parts) as Record<string, unknown>);
  const negated = fc.oneof(list(orNull), several).map((operand) => ({ not: operand }));
  const exists = fc.boolean().map((there) => ({ exists: there }));
  return fc.oneof(
    { weight: 4, arbitrary: list(orNull) },
    { weight: 4, arbitrary: several },
    { weight: 2, arbitrary: negated },
    { weight: 1, arbitrary: exists },
    { weight: 1, arbitrary: fc.tuple(several, fc.oneof(negated, exists)).map(([a, b]) => ({ ...a, ...b })) },
  );
}

const onText = operators({ value: scalar, inside: true, bound: fc.constantFrom<unknown>(...numbers) });
const onSeverity = operators({
  value: fc.constantFrom(...severityWords),
  inside: false,
  bound: fc.constantFrom(...severityWords),
});
const onIds = operators({ value: fc.constantFrom(...ids), inside: false, bound: null });

type Entry = fc.Arbitrary<readonly [string, unknown]>;
type Weighted = { readonly weight: number; readonly arbitrary: Entry };

// fast-check's types lose the tuple when weights differ.
const weighted = (...parts: Weighted[]): Entry => fc.oneof(...parts) as Entry;

function entryOf(names: readonly string[], wanted: fc.Arbitrary<unknown>): Entry {
  return fc.tuple(fc.constantFrom(...names), wanted);
}

function blocks(entry: Entry): fc.Arbitrary<Record<string, unknown>> {
  return fc.letrec((tie) => {
    const several = fc.array(tie('block'), { minLength: 1, maxLength: 3 });
    const nested: Entry = fc.oneof(
      fc.tuple(fc.constantFrom('any', 'all'), several),
      tie('block').map((block) => ['not', block] as const),
    ) as Entry;
    const entries = fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      { weight: 4, arbitrary: entry },
      { weight: 2, arbitrary: nested },
    );
    return {
      block: fc
        .uniqueArray(entries, { minLength: 1, maxLength: 3, selector: ([key]) => key })
        .map((pairs) => parsed(pairs)),
    };
  }).block as fc.Arbitrary<Record<string, unknown>>;
}

const shared: Entry[] = [
  entryOf(['severity'], onSeverity),
  entryOf(['min_severity'], fc.constantFrom(...severityWords)),
  entryOf(['asset_tags', 'asset_groups'], onText),
  entryOf(['vulnerabilities'], onIds),
];

const severityPath = fc.oneof(range(fc.constantFrom(...severityWords)), onText);
const eventPaths = [...paths.map((path) => `data.${path}`), 'envelope.a', 'envelope.a.b', 'event', 'id'];
const excluded = [...types, 'finding.*', 'finding.critical', 'scan.low', 'Finding.none'];

const eventEntry = weighted(
  { weight: 4, arbitrary: fc.oneof(...shared) },
  { weight: 1, arbitrary: entryOf(['events'], list(fc.constantFrom(...types, 'finding.*', 'A.*'))) },
  { weight: 1, arbitrary: entryOf(['exclude'], list(fc.constantFrom(...excluded))) },
  { weight: 1, arbitrary: entryOf(['scan_type', 'scan_category', 'category'], onText) },
  { weight: 1, arbitrary: entryOf(['data.severity'], severityPath) },
  { weight: 4, arbitrary: entryOf(eventPaths, onText) },
);

const rowEntry = weighted(
  { weight: 4, arbitrary: fc.oneof(...shared) },
  { weight: 4, arbitrary: entryOf([...paths, 'row.a', 'row.severity', 'search.a', 'search.a.b'], onText) },
);

function rule(source: 'events' | 'search-results', entry: Entry): fc.Arbitrary<Rule> {
  return blocks(entry).map((when) => ({ kind: 'rule', id: 'r', source, when, then: [{ action: 'a' }] }));
}

export const eventRuleArbitrary = rule('events', eventEntry);
export const rowRuleArbitrary = rule('search-results', rowEntry);
