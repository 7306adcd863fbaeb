// The bad records K22 to K31 and the Avro specification's own examples. Bodies are written byte by byte or by avsc.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createAvroEncoder, createAvroReader, frameAvro, readFrame } from './avro.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const record = (...fields: [string, unknown][]): unknown => ({
  type: 'record',
  name: 'R',
  fields: fields.map(([name, type]) => ({ name, type })),
});
const messages = (name: string): string =>
  readFileSync(new URL(`../messages/${name}`, import.meta.url), 'utf8');

function decode(schema: unknown, body: Buffer): unknown {
  const reader = createAvroReader(
    typeof schema === 'string' && schema.includes('{') ? schema : JSON.stringify(schema),
  );
  return reader.ok ? reader.read(body, 0, body.length) : reader;
}

test.each([
  ['K22 nothing', '', 'avro_frame'],
  ['K22 one byte', '00', 'avro_frame'],
  ['K22 four bytes', '00 00 00 01', 'avro_frame'],
  ['a frame without a body', '00 00 00 00 01', 'avro_frame'],
  ['K23 the letter H', '48 00 00 00 01 02', 'avro_magic'],
  ['K23 a short H', '48', 'avro_magic'],
  ['K25 schema id -1', '00 ff ff ff ff 02', 'schema_unknown'],
  ['K25 the lowest id', '00 80 00 00 00 02', 'schema_unknown'],
])('refuses the frame: %s', (_name, bytes, reason) => {
  expect(readFrame(hex(bytes))).toMatchObject({ ok: false, reason });
});

test('K24: the highest id is an id', () => {
  expect(readFrame(hex('00 7f ff ff ff 02'))).toEqual({ ok: true, id: 2147483647 });
  expect(readFrame(frameAvro(258, hex('02')))).toEqual({ ok: true, id: 258 });
});

// Avro 1.12, Binary Encoding, "Primitive Types" and "Complex Types".
test.each([
  ['zigzag 0', 'long', '00', 0],
  ['zigzag -1', 'long', '01', -1],
  ['zigzag 1', 'long', '02', 1],
  ['zigzag -64', 'long', '7f', -64],
  ['zigzag 64', 'long', '80 01', 64],
  ['the string foo', 'string', '06 66 6f 6f', 'foo'],
  [
    'the record {a: 27, b: "foo"}',
    record(['a', 'long'], ['b', 'string']),
    '36 06 66 6f 6f',
    { a: 27, b: 'foo' },
  ],
  ['the array [3, 27]', { type: 'array', items: 'long' }, '04 06 36 00', [3, 27]],
  ['an array block with its size', { type: 'array', items: 'long' }, '03 04 06 36 00', [3, 27]],
  ['the union null', ['null', 'string'], '00', null],
  ['the union string a', ['null', 'string'], '02 02 61', 'a'],
  ['an enum', { type: 'enum', name: 'E', symbols: ['A', 'B'] }, '02', 'B'],
  ['bytes as code points', 'bytes', '04 00 ff', '\u0000ÿ'],
  ['fixed', { type: 'fixed', name: 'F', size: 2 }, '41 42', 'AB'],
  ['true', 'boolean', '01', true],
  ['a double', 'double', '9a 99 99 99 99 99 23 40', 9.8],
  ['a float as it was written', 'float', 'cd cc 1c 41', 9.8],
  ['2^53 - 1', 'long', 'fe ff ff ff ff ff ff 1f', 9007199254740991],
  ['-(2^53 - 1)', 'long', 'fd ff ff ff ff ff ff 1f', -9007199254740991],
  ['a date', { type: 'int', logicalType: 'date' }, '02', '1970-01-02'],
  ['milliseconds', { type: 'long', logicalType: 'timestamp-millis' }, 'd0 0f', '1970-01-01T00:00:01.000Z'],
  ['microseconds', { type: 'long', logicalType: 'timestamp-micros' }, '01', '1969-12-31T23:59:59.999999Z'],
  [
    'a nullable time',
    ['null', { type: 'long', logicalType: 'timestamp-millis' }],
    '02 00',
    '1970-01-01T00:00:00.000Z',
  ],
])('reads %s', (_name, schema, body, value) => {
  expect(decode(schema, hex(body))).toEqual({ ok: true, value, dropped: [] });
});

test.each([
  ['K27 truncated string', 'string', '06 66 6f', 'avro_decode'],
  ['K27 truncated varint', 'long', '80', 'avro_decode'],
  ['K27 truncated double', 'double', '9a 99', 'avro_decode'],
  ['K27 surplus bytes', 'long', '02 02', 'avro_decode'],
  ['a negative length', 'string', '01', 'avro_decode'],
  ['a length beyond 2^53', 'bytes', 'ff ff ff ff ff ff ff ff ff 01', 'number_range'],
  ['a union branch that is not there', ['null', 'string'], '04', 'avro_decode'],
  ['a negative union branch', ['null', 'string'], '01', 'avro_decode'],
  ['an enum symbol that is not there', { type: 'enum', name: 'E', symbols: ['A'] }, '02', 'avro_decode'],
  ['a boolean 2', 'boolean', '02', 'avro_decode'],
  ['an int above 32 bits', 'int', '80 80 80 80 10', 'avro_decode'],
  ['an integer of 11 bytes', 'long', '80 80 80 80 80 80 80 80 80 80 01', 'avro_decode'],
  ['an integer above 64 bits', 'long', 'ff ff ff ff ff ff ff ff ff 02', 'avro_decode'],
  ['K28 2^60', 'long', '80 80 80 80 80 80 80 80 20', 'number_range'],
  ['2^53', 'long', '80 80 80 80 80 80 80 20', 'number_range'],
  ['NaN', 'double', '00 00 00 00 00 00 f8 7f', 'number_range'],
  ['Infinity in a float', 'float', '00 00 80 7f', 'number_range'],
  [
    'a time outside the calendar',
    { type: 'long', logicalType: 'timestamp-millis' },
    'fe ff ff ff ff ff ff 1f',
    'number_range',
  ],
  ['invalid UTF-8', 'string', '02 ff', 'utf8'],
  ['a map key twice', { type: 'map', values: 'long' }, '04 02 61 02 02 61 04 00', 'duplicate_key'],
  ['more items than bytes', { type: 'array', items: 'long' }, 'c0 fc ee 02 02', 'avro_decode'],
  ['K29 array of null', { type: 'array', items: 'null' }, '80 8e ce 02 00', 'avro_limits'],
  ['array of records without bytes', { type: 'array', items: record(['n', 'null']) }, '02 00', 'avro_limits'],
  [
    'array of fixed of size 0',
    { type: 'array', items: { type: 'fixed', name: 'F', size: 0 } },
    '02 00',
    'avro_limits',
  ],
  ['K30 a field named __proto__', record(['__proto__', 'string']), '00', 'avro_limits'],
  ['K31 protobuf', 'syntax = "proto3"; message M {}', '00', 'schema_type'],
  [
    'JSON Schema',
    { $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' },
    '00',
    'schema_type',
  ],
  ['a type that is not there', record(['a', 'Missing']), '00', 'schema_type'],
])('refuses %s', (_name, schema, body, reason) => {
  const result = decode(schema, hex(body)) as { detail: string };
  expect(result).toMatchObject({ ok: false, reason });
  expect(result.detail).toMatch(/^[^\n{}]{2,200}$/);
});

test('a body that lies in a larger buffer ends where it ends', () => {
  const long = createAvroReader('"long"');
  const text = createAvroReader('"string"');
  if (!long.ok || !text.ok) throw new Error('refused');
  expect(long.read(hex('ff 80 02 ff'), 1, 2)).toMatchObject({
    ok: false,
    reason: 'avro_decode',
    detail: 'truncated',
  });
  expect(long.read(hex('ff 80 02 ff'), 1, 3)).toMatchObject({ ok: true, value: 128 });
  expect(text.read(hex('04 61 62'), 0, 2)).toMatchObject({
    ok: false,
    reason: 'avro_decode',
    detail: 'truncated',
  });
});

test('K29: a recursive schema is refused, however it recurs', () => {
  const tree = { type: 'record', name: 'T', fields: [{ name: 'next', type: ['null', 'T'] }] };
  const inArray = {
    type: 'record',
    name: 'T',
    fields: [{ name: 'all', type: { type: 'array', items: 'T' } }],
  };
  const inMap = {
    type: 'record',
    name: 'T',
    fields: [{ name: 'all', type: { type: 'map', values: ['null', 'T'] } }],
  };
  for (const schema of [tree, inArray, inMap])
    expect(decode(schema, Buffer.alloc(200_000, 2))).toMatchObject({ ok: false, reason: 'avro_limits' });
});

test('a type used twice side by side is not recursive', () => {
  const schema = record(
    ['a', { type: 'record', name: 'P', fields: [{ name: 'x', type: 'int' }] }],
    ['b', 'P'],
  );
  expect(decode(schema, hex('02 04'))).toMatchObject({ value: { a: { x: 1 }, b: { x: 2 } } });
});

test('a schema nested deeper than 64 types is refused, through names too', () => {
  let schema: unknown = 'int';
  for (let k = 0; k < 64; k++) schema = { type: 'array', items: schema };
  expect(decode(schema, hex('00'))).toMatchObject({ ok: false, reason: 'avro_limits' });
  const deep = (levels: number): unknown => {
    let inner: unknown = 'int';
    for (let k = 0; k < levels; k++) inner = { type: 'array', items: inner };
    return { type: 'record', name: 'D', fields: [{ name: 'x', type: inner }] };
  };
  let around: unknown = 'D';
  for (let k = 0; k < 40; k++) around = { type: 'array', items: around };
  expect(decode(record(['a', deep(40)], ['b', around]), hex('00 00'))).toMatchObject({
    ok: false,
    reason: 'avro_limits',
  });
  expect(decode(record(['a', deep(40)]), hex('00'))).toMatchObject({ ok: true });
});

test('records that multiply without bytes stop at a limit', () => {
  let schema: unknown = { type: 'record', name: 'L0', fields: [{ name: 'n', type: 'null' }] };
  for (let k = 1; k <= 40; k++)
    schema = {
      type: 'record',
      name: `L${k}`,
      fields: [
        { name: 'a', type: schema },
        { name: 'b', type: `L${k - 1}` },
      ],
    };
  const start = performance.now();
  expect(decode(schema, Buffer.alloc(0))).toMatchObject({ ok: false, reason: 'avro_limits' });
  expect(performance.now() - start).toBeLessThan(200);
});

test('K17, K18: map keys that reach prototypes are left out and reported', () => {
  const rows = { type: 'map', values: { type: 'map', values: 'string' } };
  const body = hex(`04 12 ${Buffer.from('__proto__').toString('hex')} 02 02 61 02 62 00 02 78 00 00`);
  const result = decode(rows, body) as { value: Record<string, unknown> };
  expect(result).toEqual({ ok: true, value: { x: {} }, dropped: ['__proto__'] });
  expect(result.value['a']).toBeUndefined();
  expect(Object.getPrototypeOf(result.value)).toBe(Object.prototype);
  const key = (text: string): string =>
    Buffer.from([text.length * 2]).toString('hex') + Buffer.from(text).toString('hex');
  const constructed = hex(`02 ${key('constructor')} 02 ${key('prototype')} 02 78 00 00`);
  expect(decode(rows, constructed)).toEqual({ ok: true, value: {}, dropped: ['constructor'] });
});

test('a map of more than 2,000 keys is refused', () => {
  const encode = createAvroEncoder(1, { type: 'map', values: 'int' });
  const map = (count: number): Buffer =>
    encode(Object.fromEntries(Array.from({ length: count }, (_, k) => [`k${k}`, k]))).subarray(5);
  expect(decode({ type: 'map', values: 'int' }, map(2_000))).toMatchObject({ ok: true });
  expect(decode({ type: 'map', values: 'int' }, map(2_001))).toMatchObject({
    ok: false,
    reason: 'too_many_keys',
  });
});

test("the SIEM guide's event comes back as it was sent", () => {
  const event = {
    event: 'finding.new',
    timestamp: '2026-04-28T12:00:00Z',
    data: {
      finding_id: 'f-91827',
      title: 'SQL Injection in /api/login',
      severity: 'critical',
      cvss: 9.8,
      asset: { id: 'a-1001', name: 'api.example.com', type: 'domain' },
      scan_id: 'sc-44021',
      description: 'User input is passed directly to SQL query without parameterization.',
      remediation: 'Use parameterized queries or an ORM.',
    },
  };
  const schema = messages('finding.avsc');
  const framed = createAvroEncoder(1, JSON.parse(schema))(event);
  expect(decode(schema, framed.subarray(5))).toEqual({ ok: true, value: event, dropped: [] });
});

test('a search result keeps nulls, dots and types of its rows', () => {
  const result = {
    job_id: 'j1',
    run_id: 'r1',
    chunk: 0,
    rows: [{ 'source.ip': '10.0.0.1', count: 3, ok: true, user: null, tags: ['a', 'b'] }, {}],
    global_params: { limit: 0.5 },
  };
  const schema = messages('search-result.avsc');
  const framed = createAvroEncoder(1, JSON.parse(schema))(result);
  expect(decode(schema, framed.subarray(5))).toEqual({ ok: true, value: result, dropped: [] });
});
