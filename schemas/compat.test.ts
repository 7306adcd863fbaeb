// Each kind of break is found, each kind of harmless change is not, and ajv finds no counterexample to a proof.
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Break, findBreaks, type Resolve, type Schema } from './compat.ts';

const none: Resolve = (ref) => {
  throw new Error(`no reference ${ref}`);
};
const breaksOf = (before: Schema, after: Schema): Break[] =>
  findBreaks(before, after, 'x.json', { before: none, after: none });
const object = (properties: object, more: object = {}): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties,
  ...more,
});
const branch = (name: string, more: object = {}): Schema =>
  object({ kind: { const: name }, ...more }, { required: ['kind'] });

const broken: [name: string, before: Schema, after: Schema, path: string][] = [
  ['a new required member', object({ a: {} }), object({ a: {} }, { required: ['a'] }), '/a'],
  ['a removed enum value', { enum: ['a', 'b'] }, { enum: ['a'] }, ''],
  ['an enum where anything went', { type: 'string' }, { type: 'string', enum: ['a'] }, ''],
  ['a changed constant', { const: 1 }, { const: 2 }, ''],
  ['an enum that became a constant', { enum: [1, 2] }, { const: 1 }, ''],
  ['a narrowed type', { type: ['string', 'null'] }, { type: 'string' }, ''],
  ['a changed type', object({ a: { type: 'string' } }), object({ a: { type: 'integer' } }), '/a'],
  ['a number that became an integer', { type: 'number' }, { type: 'integer' }, ''],
  ['a type where anything went', {}, { type: 'string' }, ''],
  ['additionalProperties: false', { type: 'object' }, { type: 'object', additionalProperties: false }, ''],
  [
    'a schema for additional members',
    { type: 'object' },
    { type: 'object', additionalProperties: { type: 'string' } },
    '/*',
  ],
  ['a removed member', object({ a: {}, b: {} }), object({ a: {} }), '/b'],
  [
    'a described member where any went',
    { type: 'object' },
    { type: 'object', properties: { a: { type: 'string' } } },
    '/a',
  ],
  ['a shorter maximum', { type: 'string', maxLength: 9 }, { type: 'string', maxLength: 8 }, ''],
  ['a new maximum', { type: 'integer' }, { type: 'integer', maximum: 10 }, ''],
  ['a higher minimum', { type: 'array', minItems: 1 }, { type: 'array', minItems: 2 }, ''],
  ['a new minimum', { type: 'string' }, { type: 'string', minLength: 1 }, ''],
  ['a new pattern', { type: 'string' }, { type: 'string', pattern: '^a' }, ''],
  ['a changed pattern', { type: 'string', pattern: '^a' }, { type: 'string', pattern: '^ab' }, ''],
  ['a new format', { type: 'string' }, { type: 'string', format: 'date-time' }, ''],
  [
    'narrower items',
    { type: 'array', items: { type: ['string', 'number'] } },
    { type: 'array', items: { type: 'string' } },
    '/*',
  ],
  ['items where anything went', { type: 'array' }, { type: 'array', items: { type: 'string' } }, '/*'],
  ['unique items', { type: 'array' }, { type: 'array', uniqueItems: true }, ''],
  [
    'a member deep inside',
    object({ a: object({ b: { type: 'array', items: object({ c: {} }) } }) }),
    object({ a: object({ b: { type: 'array', items: object({ c: {} }, { required: ['c'] }) } }) }),
    '/a/b/*/c',
  ],
  ['a removed alternative', { oneOf: [branch('a'), branch('b')] }, { oneOf: [branch('a')] }, ''],
  [
    'a narrowed alternative',
    { oneOf: [branch('a', { x: {} })] },
    { oneOf: [branch('a', { x: { type: 'string' } })] },
    '',
  ],
  [
    'an overlapping new alternative',
    { oneOf: [object({ a: {} })] },
    { oneOf: [object({ a: {} }), object({ a: {}, b: {} })] },
    '',
  ],
  [
    'a removed anyOf alternative',
    { anyOf: [{ type: 'string' }, { type: 'null' }] },
    { anyOf: [{ type: 'string' }] },
    '',
  ],
  ['a new allOf part', { type: 'object' }, { type: 'object', allOf: [{ required: ['a'] }] }, '/a'],
  ['a new condition', {}, { if: { required: ['a'] }, then: { required: ['b'] } }, ''],
  ['a new not', {}, { not: { type: 'string' } }, ''],
  ['nothing any more', { type: 'string' }, false, ''],
];

test.each(broken)('%s is a break', (_name, before, after, path) => {
  expect(breaksOf(before, after).map((found) => found.path)).toContain(path);
});

test.each<[string, Schema, Schema]>([
  [
    'no change',
    object({ a: { enum: [1] } }, { required: ['a'] }),
    object({ a: { enum: [1] } }, { required: ['a'] }),
  ],
  ['a new optional member of a closed object', object({ a: {} }), object({ a: {}, b: { type: 'string' } })],
  ['a member that is no longer required', object({ a: {} }, { required: ['a'] }), object({ a: {} })],
  ['a new enum value', { enum: ['a'] }, { enum: ['a', 'b'] }],
  ['a constant that became an enum', { const: 'a' }, { enum: ['a', 'b'] }],
  ['an enum that became a type', { enum: ['a', 'b'] }, { type: 'string' }],
  ['a wider type', { type: 'integer' }, { type: ['number', 'null'] }],
  [
    'an open object',
    object({ a: { type: 'string' } }),
    { type: 'object', properties: { a: { type: 'string' } } },
  ],
  [
    'wider bounds',
    { type: 'string', minLength: 2, maxLength: 5 },
    { type: 'string', minLength: 1, maxLength: 9 },
  ],
  ['a bound that every listed value keeps', { enum: ['ab'] }, { type: 'string', maxLength: 2 }],
  ['a pattern that is gone', { type: 'string', pattern: '^a' }, { type: 'string' }],
  [
    'other words',
    { type: 'string', description: 'a', default: 'x' },
    { type: 'string', description: 'b', examples: ['c'] },
  ],
  [
    'a new alternative with another constant',
    { oneOf: [branch('a')] },
    { oneOf: [branch('a'), branch('b')] },
  ],
  [
    'a wider alternative',
    { oneOf: [branch('a'), branch('b')] },
    { oneOf: [branch('a', { x: {} }), branch('b')] },
  ],
  [
    'alternatives in another order',
    { oneOf: [branch('a'), branch('b')] },
    { oneOf: [branch('b'), branch('a')] },
  ],
  ['one that became one of several', { type: 'string' }, { anyOf: [{ type: 'string' }, { type: 'null' }] }],
  ['arrays beside strings', { type: 'string' }, { type: ['string', 'array'], items: { type: 'string' } }],
  ['everything', { type: 'string' }, true],
])('%s is no break', (_name, before, after) => {
  expect(breaksOf(before, after)).toEqual([]);
});

describe('references', () => {
  const files =
    (files: Record<string, { definitions: Record<string, Schema> }>): Resolve =>
    (ref, base) => {
      const [file, pointer] = ref.split('#/definitions/');
      const name = file || base;
      return { schema: files[name]!.definitions[pointer!]!, base: name };
    };
  const list = (item: object): Schema => ({
    type: 'object',
    properties: { next: { $ref: '#/definitions/list' }, ...item },
  });

  test('are followed into other files, with their own version', () => {
    const before = files({ 'y.json': { definitions: { t: { enum: [1, 2] } } } });
    const after = files({ 'y.json': { definitions: { t: { enum: [1] } } } });
    const schema = object({ a: { $ref: 'y.json#/definitions/t' } });
    expect(findBreaks(schema, schema, 'x.json', { before, after })).toEqual([
      { path: '/a', message: 'no longer takes 2' },
    ]);
    expect(findBreaks(schema, schema, 'x.json', { before, after: before })).toEqual([]);
  });

  test('that failed in one alternative are not taken for granted in the next', () => {
    const before = files({ 'x.json': { definitions: { t: { type: 'string' } } } });
    const after = files({ 'x.json': { definitions: { t: { type: 'integer' } } } });
    const ref = { $ref: '#/definitions/t' };
    const one = (alternatives: Schema[]): Schema => ({ anyOf: alternatives });
    expect(findBreaks(one([ref]), one([ref, ref]), 'x.json', { before, after })).toHaveLength(1);
  });

  test('may recur', () => {
    const before = files({ 'x.json': { definitions: { list: list({}) } } });
    const after = files({ 'x.json': { definitions: { list: list({ v: { type: 'string' } }) } } });
    const root = { $ref: '#/definitions/list' };
    expect(findBreaks(root, root, 'x.json', { before, after: before })).toEqual([]);
    expect(findBreaks(root, root, 'x.json', { before, after })).toEqual([
      { path: '/v', message: 'no longer takes null' },
      ...Array.from({ length: 4 }, () => expect.anything()),
    ]);
  });
});

test('a proof has no counterexample: what ajv accepts before, it accepts after', () => {
  const name = fc.constantFrom('a', 'b', 'kind');
  const leaf = fc.constantFrom<Schema>(
    true,
    {},
    { type: 'string' },
    { type: 'integer' },
    { type: 'number' },
    { type: ['string', 'null'] },
    { const: 1 },
    { enum: [1, 'x'] },
    { enum: ['x', 'y'] },
    { type: 'string', minLength: 1 },
    { type: 'string', maxLength: 1 },
    { type: 'integer', minimum: 1 },
    { type: 'number', maximum: 1 },
  );
  const { schema } = fc.letrec<{ schema: Schema }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 2 },
      leaf,
      fc.record(
        {
          type: fc.constant('object'),
          properties: fc.dictionary(name, tie('schema'), { noNullPrototype: true }),
          required: fc.uniqueArray(name, { maxLength: 1 }),
          additionalProperties: fc.constantFrom(true, false, { type: 'string' }),
        },
        { requiredKeys: ['type'] },
      ) as fc.Arbitrary<Schema>,
      fc.record(
        { type: fc.constant('array'), items: tie('schema'), minItems: fc.constantFrom(0, 1) },
        { requiredKeys: ['type'] },
      ) as fc.Arbitrary<Schema>,
      fc.record({ oneOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }) as fc.Arbitrary<Schema>,
      fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }) as fc.Arbitrary<Schema>,
    ),
  }));
  const scalar = fc.constantFrom<unknown>(
    null,
    0,
    1,
    2,
    1.5,
    '',
    'x',
    'yy',
    [],
    {},
    [1],
    ['x'],
    { a: 1 },
    { a: 'x', b: 1 },
    { kind: 1 },
  );
  const value = fc.oneof(
    scalar,
    fc.dictionary(name, scalar, { noNullPrototype: true }),
    fc.array(scalar, { maxLength: 2 }),
  );
  const ajv = new Ajv({ strict: false });
  let proofs = 0;
  fc.assert(
    fc.property(
      schema,
      schema,
      fc.boolean(),
      fc.array(value, { minLength: 8, maxLength: 8 }),
      (before, other, keep, values) => {
        const after = keep ? widened(before) : other;
        if (breaksOf(before, after).length > 0) return;
        proofs++;
        const [was, is] = [ajv.compile(before as object), ajv.compile(after as object)];
        for (const one of values)
          if (was(one))
            expect(
              is(one),
              `${JSON.stringify(before)} -> ${JSON.stringify(after)} refuses ${JSON.stringify(one)}`,
            ).toBe(true);
      },
    ),
    { numRuns: 1_500 },
  );
  expect(proofs).toBeGreaterThan(200);
});

function widened(schema: Schema): Schema {
  if (typeof schema === 'boolean') return schema;
  const { required: _required, minItems: _minItems, ...rest } = schema as Record<string, unknown>;
  return rest;
}
