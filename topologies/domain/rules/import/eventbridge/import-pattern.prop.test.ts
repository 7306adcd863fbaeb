// Patterns against a direct reading of what event-ruler does: every value with its place in every list on the way, and a
// search for values whose places agree. Generated patterns have no $or, because that is written out by definition.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { holds, ruleOf } from '../ask.ts';
import { importPattern } from './import-pattern.ts';

type Json = unknown;
type Pattern = { readonly [name: string]: Pattern | readonly Json[] };
type Places = ReadonlyMap<number, number>;
interface Found {
  readonly name: string;
  readonly value: Json;
  readonly places: Places;
}

function valuesIn(event: Json): Found[] {
  let lists = 0;
  const read = (node: Json, name: string, places: Places): Found[] => {
    if (Array.isArray(node)) {
      const list = lists++;
      // A value is in no place of the list that it stands in itself: only objects and lists in it are.
      return node.flatMap((element, index) =>
        typeof element === 'object' && element !== null
          ? read(element, name, new Map([...places, [list, index]]))
          : [{ name, value: element, places }],
      );
    }
    if (typeof node !== 'object' || node === null) return [{ name, value: node, places }];
    return Object.entries(node).flatMap(([key, below]) =>
      read(below, name === '' ? key : `${name}.${key}`, places),
    );
  };
  return read(event, '', new Map());
}

function together(a: Places, b: Places): Places | null {
  for (const [list, index] of b) if ((a.get(list) ?? index) !== index) return null;
  return new Map([...a, ...b]);
}

function fieldsOf(pattern: Pattern, above = ''): [string, readonly Json[]][] {
  return Object.entries(pattern).flatMap(([key, below]): [string, readonly Json[]][] =>
    Array.isArray(below) ? [[above + key, below]] : fieldsOf(below as Pattern, `${above}${key}.`),
  );
}

function fits(pattern: Pattern, event: Json): boolean {
  const fields = fieldsOf(pattern).sort(([a], [b]) => (a < b ? -1 : 1));
  const values = valuesIn(event);
  const from = (at: number, places: Places): boolean => {
    const field = fields[at];
    if (field === undefined) return true;
    const [name, matches] = field;
    const near = values.filter((found) => found.name === name && together(places, found.places) !== null);
    if (near.length === 0 && matches.some((match) => isExists(match, false)) && from(at + 1, places))
      return true;
    return near.some(
      ({ value, places: own }) =>
        matches.some((match) => fitsValue(match, value)) && from(at + 1, together(places, own) as Places),
    );
  };
  return from(0, new Map());
}

function isExists(match: Json, there: boolean): boolean {
  return (match as { exists?: unknown } | null)?.exists === there;
}

function fitsValue(match: Json, value: Json): boolean {
  if (typeof match !== 'object' || match === null) return match === value;
  const [[name, operand] = ['', null]] = Object.entries(match);
  if (name === 'exists') return operand === true;
  if (name === 'anything-but') return !(operand as readonly Json[]).includes(value);
  if (name === 'numeric') return typeof value === 'number' && value > (operand as [string, number])[1];
  return typeof value === 'string' && value.startsWith(operand as string);
}

const names = ['a', 'b', 'c'];
const scalar = fc.constantFrom<Json>('x', 'X', 'xy', '', 1, 2, true, null);
const match = fc.oneof(
  { weight: 4, arbitrary: scalar },
  { weight: 1, arbitrary: fc.boolean().map((exists) => ({ exists })) },
  { weight: 1, arbitrary: fc.constantFrom('x', 'xy').map((prefix) => ({ prefix })) },
  { weight: 1, arbitrary: fc.constant({ numeric: ['>', 1] }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(['x'], ['x', 'xy'], [1]).map((values) => ({ 'anything-but': values })),
  },
);
const matches = fc.array(match, { minLength: 1, maxLength: 3 });

const pattern = fc.letrec<{ node: Pattern }>((tie) => ({
  node: fc
    .uniqueArray(
      fc.tuple(
        fc.constantFrom(...names),
        fc.oneof({ maxDepth: 2 }, { weight: 2, arbitrary: matches }, { weight: 2, arbitrary: tie('node') }),
      ),
      { minLength: 1, maxLength: 3, selector: ([name]) => name },
    )
    .map((entries) => Object.fromEntries(entries) as Pattern),
})).node;

const event = fc.letrec<{ object: Json; value: Json }>((tie) => ({
  object: fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 3 }),
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    { weight: 3, arbitrary: scalar },
    { weight: 2, arbitrary: tie('object') },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
  ),
})).object as fc.Arbitrary<Record<string, Json>>;

test('an imported pattern holds for the events that the pattern fits', () => {
  let hits = 0;
  fc.assert(
    fc.property(pattern, fc.array(event, { minLength: 8, maxLength: 8 }), (given, events) => {
      const options = { root: '', objects: [], actions: ['a'] };
      const imported = importPattern({ id: 'p', pattern: given, path: '/pattern' }, options);
      // Written out, a pattern with many fields that may be absent is larger than a rule may be.
      fc.pre(!imported.issues.some(({ message }) => message.includes('a rule has at most')));
      const rule = ruleOf(imported);
      for (const one of events) {
        const wanted = fits(given, one);
        if (wanted) hits += 1;
        expect([given, one, holds(rule, one)]).toEqual([given, one, wanted]);
      }
    }),
    { numRuns: 400 },
  );
  // A comparison of nothing but misses would say little.
  expect(hits).toBeGreaterThan(100);
});
