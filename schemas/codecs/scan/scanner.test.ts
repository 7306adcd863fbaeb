// Single documents: what is reported, each cause of a refusal, limits to the byte, hashes, time.
import { describe, expect, test } from 'vitest';
import { parseJson } from '../json.ts';
import { elementFlag, elementKind, irregularCauses, scanOk } from './elements.ts';
import { module, signatureOf } from './module.ts';
import { createScanner, hashText } from './scanner.ts';

const seed = 0x70c51;
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const keys = (count: number): string =>
  `{${Array.from({ length: count }, (_, k) => `"k${k}":${k}`).join(',')}}`;
const split = (...paths: string[]): string[][] => paths.map((path) => path.split('.'));

function cause(paths: string[][], input: string | Uint8Array): string {
  const bytes = typeof input === 'string' ? Buffer.from(input) : input;
  return irregularCauses[createScanner(paths, seed).scan(bytes, 0, bytes.length)]!;
}

/** Entries as `path kind value`, `path kind value < owner` inside a reported object. */
function found(paths: string[], input: string): string[] {
  const scanner = createScanner(split(...paths), seed);
  const bytes = Buffer.from(input);
  expect(scanner.scan(bytes, 0, bytes.length)).toBe(scanOk);
  const { elements } = scanner;
  const kinds = Object.keys(elementKind);
  return Array.from({ length: elements.count }, (_, k) => {
    const kind = kinds[elements.kind[k]!]!;
    const raw = elements.memory.toString('utf8', elements.start[k], elements.end[k]);
    const value = kind === 'number' ? String(elements.value[k]) : kind === 'string' ? scanner.text(k) : raw;
    const owner = elements.owner[k] === -1 ? '' : ` < ${elements.owner[k]}`;
    return `${paths[elements.slot[k]!]} ${kind} ${value}${owner}`;
  });
}

describe('elements', () => {
  test('kinds, with the raw text', () => {
    expect(
      found(
        ['s', 'n', 't', 'f', 'z', 'o', 'e'],
        '{"s":"x","n":-1.5e3,"t":true,"f":false,"z":null,"o":{"a":[1]},"e":[ ]}',
      ),
    ).toEqual([
      's string x',
      'n number -1500',
      't true true',
      'f false false',
      'z null null',
      'o object {"a":[1]}',
      'e emptyList [ ]',
    ]);
  });

  test('lists are opened on the way and at the end; an empty list on the way is absence', () => {
    expect(found(['a.b'], '{"a":[{"b":[1,[2,[]]]},{"b":3},4,[[{"b":"x"}]]]}')).toEqual([
      'a.b number 1',
      'a.b number 2',
      'a.b emptyList []',
      'a.b number 3',
      'a.b string x',
    ]);
    expect(found(['a.b', 'a'], '{"a":[]}')).toEqual(['a emptyList []']);
  });

  test('owners join the members of one element', () => {
    expect(
      found(['v', 'v.id', 'v.x.y'], '{"v":[{"id":1,"x":{"y":2}},"s",{"id":[3,4]}],"v2":{"id":9}}'),
    ).toEqual([
      'v object {"id":1,"x":{"y":2}}',
      'v.id number 1 < 0',
      'v.x.y number 2 < 0',
      'v string s',
      'v object {"id":[3,4]}',
      'v.id number 3 < 4',
      'v.id number 4 < 4',
    ]);
  });

  test('names with dots, at any level, when they are the only way', () => {
    expect(found(['a.b.c'], '{"a.b":{"c":1}}')).toEqual(['a.b.c number 1']);
    expect(found(['a.b.c'], '{"a":{"b.c":2}}')).toEqual(['a.b.c number 2']);
    expect(found(['a.b.c'], '{"x":0,"a.b.c":3}')).toEqual(['a.b.c number 3']);
    // A text leads no further, so the name with dots is the only way.
    expect(found(['a.b', 'a'], '{"a":"text","a.b":4}')).toEqual(['a string text', 'a.b number 4']);
    expect(found(['a.b'], '{"x":{"a.b":5},"a.x":{"b":6}}')).toEqual([]);
  });

  test.each([
    '{"a":{"b":1},"a.b":2}',
    '{"a.b":2,"a":{"b":1}}',
    '{"a.b":2,"a":[{"b":1}]}',
    '{"a.b":{"c":1},"a.b.c":2}',
    '{"a.b.c":2,"a.b":{"c":1}}',
  ])('two ways to a path are left to the slow way: %s', (text) => {
    expect(cause(split('a.b.c', 'a.b'), text)).toBe('ambiguous');
  });

  test('the same two names in neighbouring objects are no conflict', () => {
    expect(found(['l.a.b'], '{"l":[{"a":{"b":1}},{"a.b":2},{"a":{"b":3}}]}')).toEqual([
      'l.a.b number 1',
      'l.a.b number 2',
      'l.a.b number 3',
    ]);
  });

  test('numbers are the doubles of JSON.parse', () => {
    const texts = [
      '0',
      '-0',
      '1e22',
      '1e23',
      '0.1',
      '9.8',
      '9007199254740993.0',
      '18446744073709551617.0',
      '1.7976931348623157e100',
      '5e-180',
    ];
    for (const text of texts) {
      const scanner = createScanner(split('n'), seed);
      const bytes = Buffer.from(`{"n":${text}}`);
      expect(scanner.scan(bytes, 0, bytes.length)).toBe(scanOk);
      expect(scanner.elements.value[0]).toBe(JSON.parse(text));
      expect(scanner.elements.flags[0]).toBe(0);
    }
  });

  test('a scan of a range of a buffer, positions from its start', () => {
    const scanner = createScanner(split('a'), seed);
    const whole = Buffer.from('"x\\{"a":"é"}"]}');
    const end = whole.indexOf('}') + 1;
    expect(scanner.scan(whole, 3, end)).toBe(scanOk);
    const { elements } = scanner;
    expect(whole.toString('utf8', 3 + elements.start[0]!, 3 + elements.end[0]!)).toBe('é');
    expect(elements.flags[0]).toBe(elementFlag.nonAscii);
    expect(scanner.scan(whole, 3, end - 1)).not.toBe(scanOk);
    expect(elements.count).toBe(0);
  });

  test('scanners take turns in one memory', () => {
    const [one, two] = [createScanner(split('a'), 1), createScanner(split('b', 'a'), 2)];
    const bytes = Buffer.from('{"a":"X","b":2}');
    for (let round = 0; round < 3; round++) {
      expect(one.scan(bytes, 0, bytes.length)).toBe(scanOk);
      expect([one.elements.count, one.elements.slot[0]]).toEqual([1, 0]);
      expect(one.elements.hash[0]).toBe(hashText(Buffer.from('x'), 1));
      expect(two.scan(bytes, 0, bytes.length)).toBe(scanOk);
      expect([two.elements.count, two.elements.slot[0], two.elements.slot[1]]).toEqual([2, 1, 0]);
      expect(two.elements.hash[0]).toBe(hashText(Buffer.from('x'), 2));
    }
  });

  test('hashes ignore the case of ASCII letters and nothing else', () => {
    const scanner = createScanner(split('a'), seed);
    const texts = [
      '',
      'a',
      'Critical',
      '[@`{',
      'sixteen  letters',
      'Seventeen Letters',
      'é',
      'É',
      'x'.repeat(300),
    ];
    const hashes = texts.map((text) => {
      const bytes = Buffer.from(JSON.stringify({ a: text }));
      expect(scanner.scan(bytes, 0, bytes.length)).toBe(scanOk);
      const hash = scanner.elements.hash[0]!;
      expect(scanner.hash(Buffer.from(text.replace(/[a-z]/g, (c) => c.toUpperCase())))).toBe(hash);
      expect(hashText(Buffer.from(text), seed)).toBe(hash);
      expect(scanner.scan(bytes, 0, bytes.length)).toBe(scanOk);
      expect(scanner.hashRange(scanner.elements.start[0]!, scanner.elements.end[0]!)).toBe(hash);
      return hash;
    });
    expect(new Set(hashes).size).toBe(texts.length);
    expect(hashText(Buffer.from('critical'), seed + 1)).not.toBe(hashes[2]);
  });
});

const refused: [name: string, input: string | Uint8Array, cause: (typeof irregularCauses)[number]][] = [
  ['truncated', '{"severity":"crit', 'syntax'],
  ['truncated in an escape', '{"a":"\\', 'syntax'],
  ['trailing comma', '{"a":1,}', 'syntax'],
  ['comma first', '{,"a":1}', 'syntax'],
  ['two commas', '[1,,2]', 'syntax'],
  ['comma in an empty list', '{"a":[,]}', 'syntax'],
  ['comma after the last item', '{"a":[1,]}', 'syntax'],
  ['no comma', '{"a":[1 2]}', 'syntax'],
  ['no colon', '{"a" 1}', 'syntax'],
  ['two colons', '{"a"::1}', 'syntax'],
  ['no value', '{"a":}', 'syntax'],
  ['a number as a name', '{1:1}', 'syntax'],
  ['text after the value', '{"a":1} x', 'syntax'],
  ['two values', '{"a":1}{"b":2}', 'syntax'],
  ['closed too often', '{"a":1}}', 'syntax'],
  ['wrong bracket', '{"a":[1}}', 'syntax'],
  ['wrong brace', '{"a":{"b":1]}', 'syntax'],
  ['raw newline in a string', '{"a":"x\ny"}', 'syntax'],
  ['raw newline in a name', '{"a\nb":1}', 'syntax'],
  ['unknown escape', '{"a":"\\x"}', 'syntax'],
  ['short unicode escape', '{"a":"\\u12"}', 'syntax'],
  ['vertical tab between tokens', '{"a":\u000b1}', 'syntax'],
  ['no-break space between tokens', '{"a":\u00a01}', 'syntax'],
  ['a comment', '{"a":1/**/}', 'syntax'],
  ['NUL inside', '{"a":1,\u0000"b":2}', 'syntax'],
  ['NUL after', '{"a":1}\u0000', 'syntax'],
  ['nothing', '', 'syntax'],
  ['blanks', '  \n', 'syntax'],
  ['a list', '[{"a":1}]', 'syntax'],
  ['a byte order mark', '\ufeff{"a":1}', 'syntax'],
  ['UTF-16', Buffer.from('{"a":1}', 'utf16le'), 'syntax'],
  ['invalid UTF-8', hex('7b 22 61 22 3a 22 ff 22 7d'), 'syntax'],
  ['overlong UTF-8', hex('7b 22 61 22 3a 22 c0 af 22 7d'), 'syntax'],
  ['UTF-8 of a surrogate', hex('7b 22 61 22 3a 22 ed a0 80 22 7d'), 'syntax'],
  ['truncated UTF-8', hex('7b 22 61 22 3a 22 e2 9c 22 7d'), 'syntax'],
  ['invalid UTF-8 in a name', hex('7b 22 ff 22 3a 31 7d'), 'syntax'],
  ['leading zero', '{"a":01}', 'syntax'],
  ['a plus', '{"a":+1}', 'syntax'],
  ['NaN', '{"a":NaN}', 'syntax'],
  ['Infinity', '{"a":-Infinity}', 'syntax'],
  ['half a literal', '{"a":tru}', 'syntax'],
  ['a literal and more', '{"a":nullx}', 'syntax'],
  ['2^53', '{"a":9007199254740992}', 'number'],
  ['17 digits', '{"a":12345678901234567}', 'number'],
  ['overflow', '{"a":1e400}', 'number'],
  ['overflow by a small exponent', '{"a":1e310}', 'number'],
  ['underflow by a small exponent', '{"a":1e-330}', 'number'],
  ['underflow', '{"a":1.5e-400}', 'number'],
  ['a number of 101 characters', `{"a":0.${'3'.repeat(99)}}`, 'number'],
  ['an exponent of many digits', `{"a":1e${'9'.repeat(50)}}`, 'number'],
  ['1 MiB and a byte', Buffer.alloc(1_048_577, 0x20), 'limit'],
  ['65 levels', `{"a":${nested(64)}}`, 'limit'],
  ['a million brackets', `{"a":${'['.repeat(1_000_000)}`, 'limit'],
  ['2,001 members', keys(2_001), 'limit'],
  ['a name of 1,025 bytes', `{"${'n'.repeat(1_025)}":1}`, 'limit'],
  ['a duplicate', '{"a":1,"b":2,"a":3}', 'duplicate'],
  ['a duplicate that nobody wants', '{"x":{"y":{"q":1,"q":1}}}', 'duplicate'],
  ['a duplicate empty name', '{"":1,"":2}', 'duplicate'],
  ['a duplicate around others', '{"b":{"a":1},"c":[{"b":1}],"b":2}', 'duplicate'],
  ['a duplicate late', keys(2_000).replace('"k1999"', '"k1998"'), 'duplicate'],
  ['a duplicate far apart', keys(2_000).replace('"k1999"', '"k0"'), 'duplicate'],
  ['a duplicate long name', `{"${'n'.repeat(99)}":1,"${'n'.repeat(99)}":2}`, 'duplicate'],
  ['an escape in a name', '{"\\u0061":1}', 'name'],
  ['__proto__', '{"x":{"__proto__":1}}', 'name'],
  ['constructor', '{"x":[{"constructor":{"prototype":1}}]}', 'name'],
  ['16,385 elements', `{"a":[${'1,'.repeat(16_384)}1]}`, 'room'],
];

test.each(refused)('leaves to the slow way: %s', (_name, input, expected) => {
  expect(cause(split('a', 'a.b'), input)).toBe(expected);
  expect(cause([], input)).toBe(expected === 'room' ? 'ok' : expected);
});

const accepted: [name: string, input: string][] = [
  ['an empty object', ' {} '],
  ['space everywhere', '\t{ \r\n"a" : [ 1 , { } , [ ] ] , "b" : null }\n'],
  ['lone surrogate escape', '{"a":"\\ud800"}'],
  ['every escape', '{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uABCD"}'],
  ['U+007F and U+10FFFF', '{"a":"\u007f\u{10ffff}","\u{10ffff}":1}'],
  ['64 levels', `{"a":${nested(63)}}`],
  ['2,000 members', keys(2_000)],
  ['2,000 members twice, nested', `{"x":${keys(2_000)},"y":[${keys(2_000)}]}`],
  ['a name of 1,024 bytes', `{"${'n'.repeat(1_024)}":1}`],
  ['a number of 100 characters', `{"a":0.${'3'.repeat(98)}}`],
  ['exactly 1 MiB', `{"a":"${'x'.repeat(1_048_576 - 8)}"}`],
  ['the largest integers', '{"a":9007199254740991,"b":-9007199254740991}'],
  ['same names in other objects', '{"a":{"x":1},"b":{"x":1},"x":[{"x":1},{"x":2}]}'],
  ['structure in strings', '{"a":"{[,:]}","b":"\\"}],{"}'],
  ['16,384 elements', `{"a":[${'1,'.repeat(16_383)}1]}`],
];

test.each(accepted)('takes %s', (_name, text) => {
  expect(parseJson(Buffer.from(text))).toMatchObject({ ok: true });
  expect(cause(split('a', 'a.b'), text)).toBe('ok');
  expect(cause(split('k1998', 'zz'), text)).toBe('ok');
});

test('a refusal leaves nothing behind for the next document', () => {
  const scanner = createScanner(split('a', 'data.a'), seed);
  const next = Buffer.from('{"a":1,"data":{"a":"b","k1":{"k1":2,"b":3}},"severity":3}');
  for (const [, input] of refused) {
    const bytes = Buffer.from(input);
    scanner.scan(bytes, 0, bytes.length);
    expect(scanner.scan(next, 0, next.length)).toBe(scanOk);
    expect(scanner.elements.count).toBe(2);
  }
});

test('numbers of objects begin anew before they run out', () => {
  const scanner = createScanner(split('l.a.b', 'k70'), seed);
  const list = Buffer.from('{"l":[{"a":{"b":1}},{"a.b":2}]}');
  const many = Buffer.from(`{"x":${keys(100)},"y":${keys(100)}}`);
  const { serials } = module().exports;
  // Old stamps carry the numbers that come again.
  serials.value = 1;
  for (let k = 0; k < 20; k++) {
    expect(scanner.scan(list, 0, list.length)).toBe(scanOk);
    expect(scanner.scan(many, 0, many.length)).toBe(scanOk);
  }
  for (const next of [0xf0000000, 0xffffffff, 0xefffffff]) {
    serials.value = next;
    for (let k = 0; k < 20; k++) {
      expect(scanner.scan(list, 0, list.length)).toBe(scanOk);
      expect(scanner.elements.count).toBe(2);
      expect(scanner.scan(many, 0, many.length)).toBe(scanOk);
    }
    expect(serials.value >>> 0).toBeLessThan(1_000);
  }
});

test('names with one signature are told apart, or left to the slow way', () => {
  const known = new Map<number, string>();
  let pair: [string, string] | null = null;
  for (let k = 0; pair === null; k++) {
    const signature = signatureOf(Buffer.from(`name${k}`), seed);
    const other = known.get(signature);
    if (other !== undefined) pair = [other, `name${k}`];
    known.set(signature, `name${k}`);
  }
  const [one, two] = pair;
  expect(cause([[one]], `{"${one}":1}`)).toBe('ok');
  expect(cause([[one]], `{"${two}":1}`)).toBe('duplicate');
  expect(cause([], `{"${one}":1,"${two}":2}`)).toBe('duplicate');
});

test.each([
  ['no segment', [[]]],
  ['an empty segment', [['a', '']]],
  ['a dot in a segment', [['a.b']]],
  ['a path twice', split('a.b', 'a', 'a.b')],
])('paths with %s are refused', (_name, paths) => {
  expect(() => createScanner(paths, seed)).toThrow(RangeError);
});

test('a thousand paths, and one of 32 segments', () => {
  const many = Array.from({ length: 1_000 }, (_, k) => ['data', `group${k % 30}`, `field_${k}`]);
  const deep = Array.from({ length: 32 }, (_, k) => `d${k}`);
  const scanner = createScanner([...many, deep, ['data', '\ud800']], seed);
  const value = {
    data: { group7: { field_37: 'x' }, group8: { field_37: 'y' } },
    [deep.slice(0, 20).join('.')]: { [deep.slice(20).join('.')]: 5 },
  };
  const bytes = Buffer.from(JSON.stringify(value));
  expect(scanner.scan(bytes, 0, bytes.length)).toBe(scanOk);
  expect([...scanner.elements.slot.subarray(0, scanner.elements.count)]).toEqual([37, 1_000]);
});

test.each([
  ['a million brackets', Buffer.from(`{"a":${'['.repeat(1_000_000)}`)],
  ['a million digits', Buffer.from(`{"a":${'9'.repeat(1_000_000)}}`)],
  ['a million backslashes', Buffer.from(`{"a":"${'\\'.repeat(1_000_000)}"}`)],
  ['100,000 objects', Buffer.from(`{"a":[${Array(100_000).fill('{"b":1}').join(',')}]}`)],
  ['objects of 2,000 members', Buffer.from(`{"a":[${Array(50).fill(keys(2_000)).join(',')}]}`)],
  ['a million blanks', Buffer.from(`{"a":${' '.repeat(1_000_000)}1}`)],
])('%s are answered in time', (_name, bytes) => {
  const scanner = createScanner(split('a.b', 'a.k7'), seed);
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    scanner.scan(bytes, 0, bytes.length);
    best = Math.min(best, performance.now() - start);
  }
  expect(best).toBeLessThan(20);
});
