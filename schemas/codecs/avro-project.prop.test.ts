// A projection sees what the full reader sees along its paths, and refuses what the full reader refuses.
import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AvroReaders, createAvroReader } from './avro.ts';

const text = readFileSync(new URL('../messages/finding.avsc', import.meta.url), 'utf8');
const type = avro.Type.forSchema(JSON.parse(text) as avro.Schema);

function readersOf(schema: string): AvroReaders {
  const readers = createAvroReader(schema);
  if (!readers.ok) throw new Error(readers.detail);
  return readers;
}

/** Leaves at a path, lists opened; an object counts as one leaf without content. */
function leaves(value: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => leaves(item, path));
  const [first, ...rest] = path;
  if (first === undefined) return [typeof value === 'object' && value !== null ? 'object' : value];
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, first)) return [];
  return leaves((value as Record<string, unknown>)[first], rest);
}

const known = [
  ['event'],
  ['id'],
  ['data'],
  ['data', 'severity'],
  ['data', 'asset'],
  ['data', 'asset', 'tags'],
  ['data', 'asset', 'name'],
  ['data', 'vulnerability_ids'],
  ['data', 'extra'],
  ['data', 'extra', 'a'],
  ['data', 'cvss', 'nothing', 'there'],
  ['nowhere'],
];
const paths = fc.uniqueArray(fc.constantFrom(...known), { maxLength: 6 });

test('any body of the finding schema, whole, cut or changed', () => {
  const { read, project } = readersOf(text);
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(paths, fc.nat(), fc.option(fc.nat(255)), (wanted, at, byte) => {
      const body = type.toBuffer(type.random());
      if (byte !== null) body[at % body.length] = byte;
      const full = read(body, 0, body.length);
      const part = project({ paths: wanted })(body, 0, body.length);
      if (!full.ok) {
        refused += 1;
        expect(part).toEqual(full);
        return;
      }
      accepted += 1;
      if (!part.ok) throw new Error(part.detail);
      expect(part.dropped).toEqual(full.dropped);
      for (const path of wanted) expect(leaves(part.value, path)).toEqual(leaves(full.value, path));
    }),
    { numRuns: 2_000 },
  );
  expect(accepted).toBeGreaterThan(200);
  expect(refused).toBeGreaterThan(200);
});

test('what no path needs is left out', () => {
  const { project } = readersOf(text);
  const body = type.toBuffer({
    id: 'evt-1',
    event: 'finding.new',
    timestamp: null,
    tenant: null,
    test: null,
    data: { ...(type.random() as unknown as { data: object }).data, title: 'x'.repeat(50) },
  });
  const result = project({ paths: [['event'], ['data']] })(body, 0, body.length);
  expect(result).toEqual({ ok: true, value: { event: 'finding.new', data: {} }, dropped: [] });
});

test('lists of records keep their items', () => {
  const schema = {
    type: 'record',
    name: 'R',
    fields: [
      {
        name: 'list',
        type: {
          type: 'array',
          items: {
            type: 'record',
            name: 'I',
            fields: [
              { name: 'a', type: 'string' },
              { name: 'b', type: { type: 'map', values: 'long' } },
            ],
          },
        },
      },
      { name: 'when', type: { type: 'int', logicalType: 'date' } },
    ],
  };
  const { project } = readersOf(JSON.stringify(schema));
  const writer = avro.Type.forSchema(schema as avro.Schema);
  const body = writer.toBuffer({
    list: [
      { a: 'x', b: { k: 1 } },
      { a: 'y', b: {} },
    ],
    when: 1,
  });
  expect(project({ paths: [['list', 'a']] })(body, 0, body.length)).toMatchObject({
    value: { list: [{ a: 'x' }, { a: 'y' }] },
  });
  expect(project({ paths: [['list']] })(body, 0, body.length)).toMatchObject({ value: { list: [{}, {}] } });
  expect(project({ paths: [], whole: [['list']] })(body, 0, body.length)).toMatchObject({
    value: {
      list: [
        { a: 'x', b: { k: 1 } },
        { a: 'y', b: {} },
      ],
    },
  });
  expect(project({ paths: [], whole: [['list', 'b']] })(body, 0, body.length)).toEqual({
    ok: true,
    value: { list: [{ b: { k: 1 } }, { b: {} }] },
    dropped: [],
  });
  expect(project({ paths: [['when']] })(body, 0, body.length)).toMatchObject({
    value: { when: '1970-01-02' },
  });
});
