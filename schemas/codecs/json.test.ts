// The bad records K01 to K21 and their neighbours: bytes in, reason out.
import { describe, expect, test } from 'vitest';
import { type JsonLimits, parseJson, parseJsonRange } from './json.ts';
import { type JsonReason, jsonReasons } from './json-reasons.ts';

type Input = string | Uint8Array;
const bytesOf = (input: Input): Uint8Array => (typeof input === 'string' ? Buffer.from(input) : input);
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const keys = (count: number): string =>
  `{${Array.from({ length: count }, (_, k) => `"k${k}":${k}`).join(',')}}`;

const refused: [name: string, input: Input, reason: JsonReason, limits?: Partial<JsonLimits>][] = [
  ['K01 truncated', '{"severity":"crit', 'json_syntax'],
  ['truncated after a name', '{"severity"', 'json_syntax'],
  ['truncated in an escape', '{"a":"\\', 'json_syntax'],
  ['trailing comma', '{"a":1,}', 'json_syntax'],
  ['text after the value', '{"a":1} x', 'json_syntax'],
  ['two values', '{"a":1}{"b":2}', 'json_syntax'],
  ['closed too often', '{"a":1}}', 'json_syntax'],
  ['closed before opened', ']', 'json_syntax'],
  ['wrong bracket', '{"a":[1}}', 'json_syntax'],
  ['raw newline in a string', '{"a":"x\ny"}', 'json_syntax'],
  ['only blanks', '  \n', 'json_syntax'],
  ['K02 invalid UTF-8', hex('7b 22 61 22 3a 22 ff 22 7d'), 'utf8'],
  ['overlong UTF-8 slash', hex('7b 22 61 22 3a 22 c0 af 22 7d'), 'utf8'],
  ['UTF-8 of a surrogate', hex('7b 22 61 22 3a 22 ed a0 80 22 7d'), 'utf8'],
  ['truncated UTF-8 sequence', hex('7b 22 61 22 3a 22 e2 9c 22 7d'), 'utf8'],
  ['invalid UTF-8 in a name', hex('7b 22 ff 22 3a 31 7d'), 'utf8'],
  ['K04 UTF-16LE', Buffer.from('{"a":1}', 'utf16le'), 'utf8'],
  ['K04 UTF-16LE with BOM', Buffer.from('\ufeff{"a":1}', 'utf16le'), 'utf8'],
  ['UTF-16BE', Buffer.from('{"a":1}', 'utf16le').swap16(), 'utf8'],
  ['K07 integer above 2^53', '{"id":9007199254740993}', 'number_range'],
  ['K07 integer below -2^53', '{"id":-9007199254740993}', 'number_range'],
  ['2^53, which 2^53 + 1 would become', '{"id":9007199254740992}', 'number_range'],
  ['K08 overflow', '{"a":1e400}', 'number_range'],
  ['K08 negative overflow', '{"a":-1E+400}', 'number_range'],
  ['underflow', '{"a":1.5e-400}', 'number_range'],
  ['K09 10,000 digits', `{"a":${'9'.repeat(10_000)}}`, 'number_range'],
  ['10,000 decimals', `{"a":0.${'3'.repeat(10_000)}}`, 'number_range'],
  ['10,000 digits for text too', `{"a":${'9'.repeat(10_000)}}`, 'number_range', { bigIntegers: 'text' }],
  ['K10 NaN', '{"a":NaN}', 'json_syntax'],
  ['K10 Infinity', '{"a":-Infinity}', 'json_syntax'],
  ['K11 10 MB', Buffer.alloc(10_000_000, 0x20), 'too_large'],
  ['K12 limit and one byte', Buffer.alloc(1_048_577, 0x20), 'too_large'],
  ['K13 10,000 arrays', nested(10_000), 'depth'],
  ['10,000 objects', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, 'depth'],
  ['K14 1,000,000 arrays', nested(1_000_000), 'depth', { maxBytes: 4_000_000 }],
  ['1,000,000 opening brackets', '['.repeat(1_000_000), 'depth'],
  ['65 levels', `{"a":${nested(64)}}`, 'depth'],
  ['K15 100,000 members', keys(100_000), 'too_many_keys', { maxBytes: 4_000_000 }],
  ['2,001 members', keys(2_001), 'too_many_keys'],
  ['a small member limit', keys(4), 'too_many_keys', { maxKeys: 3 }],
  ['K16 duplicate', '{"severity":"low","severity":"critical"}', 'duplicate_key'],
  ['duplicate by escape', '{"severity":"low","sever\\u0069ty":"critical"}', 'duplicate_key'],
  ['duplicate of an escape', '{"\\u0061":1,"b":2,"a":3}', 'duplicate_key'],
  ['duplicate empty name', '{"":1,"":2}', 'duplicate_key'],
  ['duplicate around a nested object', '{"a":{"b":1},"c":[{"a":1}],"a":2}', 'duplicate_key'],
  ['duplicate among many', keys(1_000).replace('"k999"', '"k1"'), 'duplicate_key'],
  ['duplicate non-ASCII', '{"ö":1,"ö":2}', 'duplicate_key'],
  ['duplicate __proto__', '{"__proto__":1,"__proto__":2}', 'duplicate_key'],
  ['K17 refused', '{"__proto__":{"admin":true}}', 'forbidden_key', { forbiddenKeys: 'refuse' }],
  ['K17 escaped', '{"\\u005f_proto__":{}}', 'forbidden_key', { forbiddenKeys: 'refuse' }],
  ['K18 refused', '{"constructor":{"prototype":{"x":1}}}', 'forbidden_key', { forbiddenKeys: 'refuse' }],
  ['K19 array', '[{"event":"x"}]', 'not_object'],
  ['K19 string', '"x"', 'not_object'],
  ['K19 number', '1', 'not_object'],
  ['K19 null', 'null', 'not_object'],
  ['K19 true', 'true', 'not_object'],
  ['K21 nothing', '', 'empty'],
  ['only a BOM', hex('ef bb bf'), 'empty'],
  ['K41 10 KB name', `{"${'n'.repeat(10_240)}":1}`, 'key_length'],
];

test.each(refused)('refuses %s', (_name, input, reason, limits) => {
  const bytes = bytesOf(input);
  const result = parseJson(bytes, limits);
  expect(result).toMatchObject({ ok: false, reason });
  expect((result as { detail: string }).detail).toMatch(/^[^\n"{}]{2,200}$/);
});

test('every reason has a case', () => {
  expect(new Set(refused.map(([, , reason]) => reason))).toEqual(new Set(Object.keys(jsonReasons)));
});

const accepted: [name: string, input: Input, value: unknown, limits?: Partial<JsonLimits>][] = [
  ['an empty object', ' {} ', {}],
  ['K05 lone surrogate escape', '{"a":"\\ud800"}', { a: '\ud800' }],
  ['K06 NUL escape', '{"a":"\\u0000"}', { a: '\u0000' }],
  ['U+FFFD as written', '{"a":"\ufffd","b":"é"}', { a: '\ufffd', b: 'é' }],
  [
    'largest safe integer',
    '{"a":9007199254740991,"b":-9007199254740991}',
    { a: 9007199254740991, b: -9007199254740991 },
  ],
  [
    'K07 as text',
    '{"a":9007199254740993,"b":[1,1e20]}',
    { a: '9007199254740993', b: [1, 1e20] },
    { bigIntegers: 'text' },
  ],
  [
    '17 significant digits',
    '{"a":0.30000000000000004,"b":1e22,"c":0e-999,"d":-0.0}',
    { a: 0.30000000000000004, b: 1e22, c: 0, d: -0 },
  ],
  ['64 levels', nested(64), JSON.parse(nested(64)), { topLevel: 'any' }],
  ['2,000 members', keys(2_000), JSON.parse(keys(2_000))],
  ['exactly the size limit', `{"a":"${'x'.repeat(1_048_576 - 8)}"}`, { a: 'x'.repeat(1_048_576 - 8) }],
  [
    'same name in two objects',
    '{"a":{"x":1},"b":{"x":1},"x":[{"x":1},{"x":2}]}',
    { a: { x: 1 }, b: { x: 1 }, x: [{ x: 1 }, { x: 2 }] },
  ],
  ['a name as a value', '{"a":"a","b":["a","a"]}', { a: 'a', b: ['a', 'a'] }],
  ['brackets and commas in strings', '{"a":"{[,:]}","b":"\\"}],{"}', { a: '{[,:]}', b: '"}],{' }],
  [
    'names with equal signature',
    '{"cs1Label":1,"cs2Label":2,"cs3Label":3}',
    { cs1Label: 1, cs2Label: 2, cs3Label: 3 },
  ],
  [
    'constructor as plain data',
    '{"constructor":"ACME","a":{"constructor":{"x":1}}}',
    { constructor: 'ACME', a: { constructor: { x: 1 } } },
  ],
  [
    "K35 to K38 are not the codec's",
    '{"timestamp":"tomorrow","data":{"severity":["high"],"cvss":"9.8"}}',
    { timestamp: 'tomorrow', data: { severity: ['high'], cvss: '9.8' } },
  ],
  ['K41 odd names', '{"source.ip":1,"a b":2,"$x":3,"🙂":4}', { 'source.ip': 1, 'a b': 2, $x: 3, '🙂': 4 }],
  [
    'K36 class names stay data',
    '{"__unhandled_exc__":{"__class__":"X"}}',
    { __unhandled_exc__: { __class__: 'X' } },
  ],
];

test.each(accepted)('accepts %s', (_name, input, value, limits) => {
  expect(parseJson(bytesOf(input), limits)).toEqual({ ok: true, value, dropped: [], bom: false });
});

test('K03: a byte order mark is stripped and reported', () => {
  expect(parseJson(Buffer.from('\ufeff{"a":1}'))).toEqual({
    ok: true,
    value: { a: 1 },
    dropped: [],
    bom: true,
  });
});

describe('members that reach prototypes', () => {
  test('K17, K18: are left out and reported', () => {
    const text =
      '{"__proto__":{"severity":"critical"},"a/b":[{"constructor":{"prototype":{"x":1}},"c":1}],"d":{"\\u005f_proto__":1}}';
    const result = parseJson(Buffer.from(text));
    expect(result).toMatchObject({
      ok: true,
      dropped: ['/__proto__', '/a~1b/0/constructor', '/d/__proto__'],
    });
    const value = (result as { value: Record<string, unknown> }).value;
    expect(JSON.stringify(value)).toBe('{"a/b":[{"c":1}],"d":{}}');
    expect(value['severity']).toBeUndefined();
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  test('are found among more than 32 members', () => {
    const result = parseJson(Buffer.from(`${keys(40).slice(0, -1)},"__proto__":{}}`));
    expect(result).toMatchObject({ ok: true, dropped: ['/__proto__'] });
  });

  test('are counted up to 16', () => {
    const result = parseJson(Buffer.from(`{"a":[${Array(50).fill('{"__proto__":1}').join(',')}]}`));
    expect(result.ok && result.dropped).toHaveLength(16);
    expect(JSON.stringify(result)).not.toContain('{"__proto__"');
  });
});

test('a refusal leaves nothing behind for the next text', () => {
  for (const [, input, , limits] of refused) {
    parseJson(bytesOf(input), limits);
    expect(parseJson(Buffer.from('{"a":1,"k1":{"k1":2,"b":3},"severity":3}'))).toMatchObject({ ok: true });
  }
});

test('a range of a larger buffer sees only its own bytes', () => {
  const buffer = Buffer.from('"x\\{"a":"1"}"]}é{"b":"é"}\ufffd', 'utf8');
  const end = buffer.indexOf('}') + 1;
  expect(parseJsonRange(buffer, 3, end)).toMatchObject({ ok: true, value: { a: '1' } });
  const from = buffer.indexOf('{"b"');
  expect(parseJsonRange(buffer, from, from + 10)).toMatchObject({ ok: true, value: { b: 'é' } });
  expect(parseJson(new Uint8Array(buffer.buffer, buffer.byteOffset + 3, end - 3))).toMatchObject({
    ok: true,
  });
  expect(parseJsonRange(buffer, 3, end - 1)).toMatchObject({ ok: false, reason: 'json_syntax' });
});

test('a depth limit above the ceiling is a programming error', () => {
  expect(() => parseJson(Buffer.from('{}'), { maxDepth: 129 })).toThrow(RangeError);
});

test.each([
  ['1,000,000 arrays', Buffer.from(nested(1_000_000)), 20],
  ['10,000 arrays', Buffer.from(nested(10_000)), 20],
  ['10,000 digits', Buffer.from(`{"a":${'9'.repeat(10_000)}}`), 5],
  ['names made to collide', Buffer.from(`[${Array(50).fill(colliding(1_999)).join(',')}]`), 200],
])('%s are answered in time', (_name, bytes, milliseconds) => {
  const limits = { maxBytes: 4_000_000, topLevel: 'any' } as const;
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    parseJson(bytes, limits);
    best = Math.min(best, performance.now() - start);
  }
  expect(best).toBeLessThan(milliseconds);
});

// Equal length, first, middle and last byte.
function colliding(count: number): string {
  return `{${Array.from({ length: count }, (_, k) => `"a${String(k).padStart(4, '0')}m${'0000'}z":1`).join(',')}}`;
}
