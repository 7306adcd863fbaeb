// Our decoder against avsc's, which is an independent reading of the specification, and against any bytes at all.
import { readFileSync } from 'node:fs';
import avro from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createAvroReader } from './avro.ts';

const primitive = fc.constantFrom('null', 'boolean', 'int', 'long', 'double', 'string');
const { schema: anySchema } = fc.letrec((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    primitive,
    tie('array'),
    tie('map'),
    tie('record'),
    tie('union'),
  ),
  array: fc.record({ type: fc.constant('array'), items: tie('schema') }),
  map: fc.record({ type: fc.constant('map'), values: tie('schema') }),
  record: fc.record({
    type: fc.constant('record'),
    fields: fc
      .array(tie('schema'), { minLength: 1, maxLength: 4 })
      .map((types) => types.map((type, k) => ({ name: `f${k}`, type }))),
  }),
  union: fc.constantFrom(['null', 'string'], ['null', 'boolean', 'double', 'string'], ['string', 'long']),
}));

// What our decoder promises in terms of avsc's value: nullable and null fields left out, plain objects.
function plain(value: unknown, inRecord = false): unknown {
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (typeof value !== 'object' || value === null) return value;
  const isRecord = inRecord || Object.getPrototypeOf(value) !== Object.prototype;
  const entries = Object.entries(value).filter(([, member]) => !isRecord || member !== null);
  return Object.fromEntries(entries.map(([name, member]) => [name, plain(member)]));
}

test('decodes random values of random schemas as avsc does', () => {
  let decoded = 0;
  fc.assert(
    fc.property(anySchema, (schema) => {
      const type = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'never' as unknown as boolean });
      const body = type.toBuffer(type.random());
      const reader = createAvroReader(JSON.stringify(schema));
      if (!reader.ok) {
        expect(reader.reason).toBe('avro_limits');
        return;
      }
      const result = reader.read(body, 0, body.length);
      if (!result.ok) expect(['number_range', 'duplicate_key']).toContain(result.reason);
      else expect(result.value).toEqual(plain(type.fromBuffer(body)));
      if (result.ok) decoded++;
    }),
    { numRuns: 500 },
  );
  expect(decoded).toBeGreaterThan(200);
});

test('any bytes give an answer, and a value only where avsc gives the same', () => {
  for (const name of ['finding.avsc', 'search-result.avsc']) {
    const text = readFileSync(new URL(`../messages/${name}`, import.meta.url), 'utf8');
    const type = avro.Type.forSchema(JSON.parse(text) as avro.Schema);
    const reader = createAvroReader(text);
    if (!reader.ok) throw new Error(reader.detail);
    const whole = type.toBuffer(type.random());
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc.tuple(fc.nat(whole.length), fc.nat(255)).map(([at, byte]) => {
            const changed = Buffer.from(whole);
            changed[at] = byte;
            return changed;
          }),
          fc.nat(whole.length - 1).map((length) => whole.subarray(0, length)),
        ),
        (bytes) => {
          const body = Buffer.from(bytes);
          const result = reader.read(body, 0, body.length);
          if (result.ok && result.dropped.length === 0)
            expect(result.value).toEqual(plain(type.fromBuffer(body)));
        },
      ),
      { numRuns: 1_000 },
    );
  }
});
