// Which codec a value takes, what is synchronous, and what is asked of the registry.
import { expect, test } from 'vitest';
import { createAvroEncoder } from './avro.ts';
import {
  type DecodeOptions,
  decodeReasons,
  decodeValue,
  type SchemaAnswer,
  type SchemaSource,
} from './decode.ts';

const schema = { type: 'record', name: 'E', fields: [{ name: 'event', type: 'string' }] };
const encode = createAvroEncoder(5, schema);

function sourceOf(answers: SchemaAnswer[]): SchemaSource & { asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    schemaById: async (id) => {
      asked.push(id);
      return answers.shift() ?? { ok: true, schema: JSON.stringify(schema) };
    },
  };
}

test('JSON is decoded at once, whatever the format setting allows', () => {
  const bytes = Buffer.from('{"event":"x","__proto__":1}');
  const expected = { ok: true, value: { event: 'x' }, format: 'json', dropped: ['/__proto__'] };
  expect(decodeValue(bytes, { format: 'auto' })).toEqual(expected);
  expect(decodeValue(bytes, { format: 'json' })).toEqual(expected);
  expect(decodeValue(bytes, { format: 'avro' })).toMatchObject({ ok: false, reason: 'avro_magic' });
});

test('a byte order mark is said', () => {
  expect(decodeValue(Buffer.from('\ufeff{"event":"x"}'), { format: 'auto' })).toEqual({
    ok: true,
    value: { event: 'x' },
    format: 'json',
    dropped: [],
    bom: true,
  });
});

test('Avro is a promise the first time and a value afterwards; the registry is asked once', async () => {
  const schemas = sourceOf([]);
  const first = decodeValue(encode({ event: 'a' }), { format: 'auto', schemas });
  expect(first).toBeInstanceOf(Promise);
  expect(await first).toEqual({ ok: true, value: { event: 'a' }, format: 'avro', dropped: [] });
  expect(decodeValue(encode({ event: 'b' }), { format: 'avro', schemas })).toMatchObject({
    value: { event: 'b' },
  });
  expect(schemas.asked).toEqual([5]);
});

test('a registry that is down is transient, and the next try asks again', async () => {
  const schemas = sourceOf([{ ok: false, reason: 'registry_unavailable', detail: 'refused' }]);
  const options: DecodeOptions = { format: 'auto', schemas };
  expect(await decodeValue(encode({ event: 'a' }), options)).toEqual({
    ok: false,
    reason: 'registry_unavailable',
    detail: 'refused',
    transient: true,
  });
  expect(await decodeValue(encode({ event: 'a' }), options)).toMatchObject({ ok: true });
});

test('an unknown id is final and not remembered here', async () => {
  const schemas = sourceOf([{ ok: false, reason: 'schema_unknown', detail: 'id 5' }]);
  expect(await decodeValue(encode({ event: 'a' }), { format: 'auto', schemas })).toEqual({
    ok: false,
    reason: 'schema_unknown',
    detail: 'id 5',
  });
  expect(await decodeValue(encode({ event: 'a' }), { format: 'auto', schemas })).toMatchObject({ ok: true });
});

test('only what paths need is decoded, for each set of paths', async () => {
  const two = { ...schema, fields: [...schema.fields, { name: 'id', type: 'string' }] };
  const schemas = sourceOf([{ ok: true, schema: JSON.stringify(two) }]);
  const bytes = createAvroEncoder(5, two)({ event: 'a', id: 'e-1' });
  const decode = (paths: string[][]): ReturnType<typeof decodeValue> =>
    decodeValue(bytes, { format: 'auto', schemas, keep: { paths } });
  const first = await decode([['event']]);
  expect(first).toEqual({ ok: true, value: { event: 'a' }, format: 'avro', dropped: [] });
  expect(decode([['id']])).toEqual({ ok: true, value: { id: 'e-1' }, format: 'avro', dropped: [] });
  expect(decode([])).toEqual({ ok: true, value: {}, format: 'avro', dropped: [] });
});

test('a refused schema is refused at once from then on', async () => {
  const schemas = sourceOf([{ ok: true, schema: '{"type":"array","items":"null"}' }]);
  expect(await decodeValue(encode({ event: 'a' }), { format: 'auto', schemas })).toMatchObject({
    reason: 'avro_limits',
  });
  expect(decodeValue(encode({ event: 'a' }), { format: 'auto', schemas })).toMatchObject({
    reason: 'avro_limits',
  });
  expect(schemas.asked).toEqual([5]);
});

test.each([
  ['K25 a negative id', Buffer.from([0, 255, 255, 255, 255, 2]), 'schema_unknown'],
  ['K22 a short frame', Buffer.from([0, 0, 0]), 'avro_frame'],
  ['more than the limit', Buffer.alloc(1_048_577), 'too_large'],
])('%s never reaches the registry', (_name, bytes, reason) => {
  const schemas = sourceOf([]);
  expect(decodeValue(bytes, { format: 'auto', schemas })).toMatchObject({ ok: false, reason });
  expect(schemas.asked).toEqual([]);
});

test('Avro without a registry is refused as such', () => {
  expect(decodeValue(encode({ event: 'a' }), { format: 'auto' })).toMatchObject({
    ok: false,
    reason: 'no_registry',
  });
});

test('a schema that is no record gives no envelope', async () => {
  const schemas = sourceOf([{ ok: true, schema: '"string"' }]);
  expect(await decodeValue(Buffer.from([0, 0, 0, 0, 5, 2, 97]), { format: 'auto', schemas })).toMatchObject({
    reason: 'not_object',
  });
});

test('K21: nothing is empty JSON', () => {
  expect(decodeValue(new Uint8Array(0), { format: 'auto' })).toMatchObject({ reason: 'empty' });
});

test('every reason is described in one line', () => {
  for (const text of Object.values(decodeReasons)) expect(text).toMatch(/^[^\n]{10,160}\.$/);
});
