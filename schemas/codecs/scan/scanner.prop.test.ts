// The scan against parseJson and the reading of paths in parsed values: what it reports as fine is exact, for any bytes.
import { elementsAt } from '@tocsin/topologies/domain/rules/path.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson } from '../json.ts';
import { elementKind, irregularCauses, type Scanner, scanOk } from './elements.ts';
import { createScanner } from './scanner.ts';

const paths = [
  'a',
  'b',
  'a.b',
  'a.b.c',
  'b.a',
  'b.c',
  'c.a.b.c',
  'é.a',
  'fifteen_letters',
  'sixteen__letters',
  'seventeen_letters.a',
  'a_name_of_more_than_thirty_two_bytes.a',
  '__proto__.a',
  'constructor',
].map((path) => path.split('.'));
const scanner = createScanner(paths, 0x5eed);

/** The value of an entry. */
function valueAt({ elements, text }: Scanner, k: number): unknown {
  switch (elements.kind[k]) {
    case elementKind.string:
      return text(k);
    case elementKind.number:
      return elements.value[k];
    case elementKind.true:
      return true;
    case elementKind.false:
      return false;
    case elementKind.null:
      return null;
    case elementKind.object:
      return JSON.parse(elements.memory.toString('utf8', elements.start[k], elements.end[k]));
    default:
      throw new Error(`kind ${elements.kind[k]}`);
  }
}

/** Elements of one path, null without any entry; `under`: only those somewhere in that entry's object. */
function elementsOf(slot: number, under = -1): unknown[] | null {
  const { elements } = scanner;
  const values: unknown[] = [];
  let found = false;
  for (let k = 0; k < elements.count; k++) {
    if (elements.slot[k] !== slot) continue;
    let owner = elements.owner[k]!;
    while (under !== -1 && owner !== -1 && owner !== under) owner = elements.owner[owner]!;
    if (under !== -1 && owner !== under) continue;
    found = true;
    if (elements.kind[k] !== elementKind.emptyList) values.push(valueAt(scanner, k));
  }
  return found ? values : null;
}

const at = (fields: unknown, segments: readonly string[]): unknown[] | null =>
  elementsAt({ source: 'events', fields: fields as Record<string, unknown>, search: null }, [
    { root: 'fields', segments },
  ]);

/** Scans `bytes` amid others and holds the outcome against parseJson; the cause, or `ok`. */
function judge(bytes: Uint8Array): (typeof irregularCauses)[number] {
  const whole = Buffer.concat([Buffer.from('"}'), bytes, Buffer.from('"}')]);
  const verdict = scanner.scan(whole, 2, 2 + bytes.length);
  if (verdict !== scanOk) return irregularCauses[verdict]!;
  const parsed = parseJson(bytes);
  expect(parsed).toMatchObject({ ok: true, dropped: [], bom: false });
  if (!parsed.ok) return 'ok';
  paths.forEach((path, slot) => {
    expect(elementsOf(slot)).toEqual(at(parsed.value, path));
  });
  // Members of an element, as `each` asks for them.
  paths.forEach((path, slot) => {
    paths.forEach((outer, outerSlot) => {
      if (outer.length >= path.length || !outer.every((segment, k) => segment === path[k])) return;
      for (let k = 0; k < scanner.elements.count; k++) {
        if (scanner.elements.slot[k] !== outerSlot || scanner.elements.kind[k] !== elementKind.object)
          continue;
        expect(elementsOf(slot, k)).toEqual(at(valueAt(scanner, k), path.slice(outer.length)));
      }
    });
  });
  return 'ok';
}

const space = fc.constantFrom('', '', '', ' ', '\n  ', '\t\r\n');
const plainName = fc.constantFrom(
  ...[
    'a',
    'b',
    'c',
    'd',
    'é',
    '',
    'x y',
    'z',
    '_',
    'fifteen_letters',
    'sixteen__letters',
    'seventeen_letters',
  ],
  ...['a_name_of_more_than_thirty_two_bytes', 'a_name_of_more_than_thirty_two_bytez', '日本', '🙂'],
);
const oddName = fc.constantFrom(
  'a.b',
  'b.c',
  'a.b.c',
  'c.a',
  'a.',
  '.a',
  '__proto__',
  'constructor',
  'toString',
);
const plainText = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
  fc.constantFrom(
    '',
    'critical',
    'ÜBER Straße',
    '日本語のテキスト、長い',
    '🙂🙂🙂',
    'fifteen letters',
    'sixteen  letters',
  ),
);
const number = fc.oneof(
  fc
    .double({ noNaN: true, noDefaultInfinity: true, min: -1e150, max: 1e150 })
    .filter((value) => value === 0 || Math.abs(value) > 1e-150)
    .map((value) => JSON.stringify(value))
    .filter((text) => !/^-?\d{16,}$/.test(text)),
  fc.integer().map(String),
  fc.constantFrom(
    '0',
    '-0',
    '-0.0',
    '0.1',
    '1e5',
    '1E+22',
    '1e-22',
    '1.5e23',
    '123456789012345',
    '9007199254740991',
  ),
  fc.constantFrom(
    '-9007199254740991',
    '9007199254740993.0',
    '0.30000000000000004',
    '12345678901234567890.5',
    '0e-9',
  ),
  fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: -40, max: 40 })).map(([a, b, e]) => `${a}.${b}e${e}`),
);
const oddNumber = fc.oneof(
  fc.constantFrom(
    '9007199254740992',
    '9007199254740993',
    '1e400',
    '-1e400',
    '1e-400',
    '1e181',
    '00',
    '01',
    '-',
    '+1',
  ),
  fc.constantFrom(
    '.5',
    '1.',
    '1e',
    '1e+',
    '0x1',
    'NaN',
    '-Infinity',
    '1'.repeat(17),
    `0.${'3'.repeat(99)}`,
    '0e-999',
  ),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
);
const oddText = fc.constantFrom(
  ...[
    '"\\ud800"',
    '"\\u0000\\uD83D\\uDE00"',
    '"\\/\\b\\f\\n\\r\\t\\"\\\\"',
    '"\\x"',
    '"\\u00g0"',
    '"\\',
    '"\\u12"',
  ],
  ...['"\n"', '"\u0000"', '"\u001f"', '"\u007f"', "'a'", '"', 'tru', 'nul', 'falsy', 'True', 'undefined'],
);
const escapeFirst = (text: string): string =>
  text === ''
    ? '""'
    : `"\\u${text.charCodeAt(0).toString(16).padStart(4, '0')}${JSON.stringify(text.slice(1)).slice(1)}`;

/** JSON text of objects; `odd` mixes in what a scan may refuse. */
function documents(odd: boolean): fc.Arbitrary<string> {
  const quoted = plainText.map((text) => JSON.stringify(text));
  const text = odd ? fc.oneof({ weight: 8, arbitrary: quoted }, plainText.map(escapeFirst), oddText) : quoted;
  const scalar = fc.oneof(
    { weight: 4, arbitrary: text },
    { weight: 3, arbitrary: odd ? fc.oneof({ weight: 9, arbitrary: number }, oddNumber) : number },
    fc.constantFrom('true', 'false', 'null', '[]', '{}', '[[],[]]'),
  );
  const key = odd
    ? fc.oneof(
        { weight: 12, arbitrary: plainName.map((name) => JSON.stringify(name)) },
        { weight: 3, arbitrary: oddName.map((name) => JSON.stringify(name)) },
        plainName.map(escapeFirst),
      )
    : plainName.map((name) => JSON.stringify(name));
  const { object } = fc.letrec<{ value: string; object: string; list: string }>((tie) => ({
    value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('object'), tie('list')),
    list: fc
      .tuple(fc.array(tie('value'), { maxLength: 4 }), space)
      .map(([items, gap]) => `[${items.join(`${gap},${gap}`)}]`),
    object: fc
      .tuple(
        fc.uniqueArray(fc.tuple(key, tie('value'), space), {
          maxLength: 6,
          selector: odd ? ([name, , gap]) => `${name}${gap}` : ([name]) => name,
        }),
        space,
      )
      .map(
        ([members, gap]) =>
          `${gap}{${members.map(([name, value, g]) => `${g}${name}${g}:${g}${value}`).join(`${gap},`)}}${gap}`,
      ),
  }));
  return object;
}

test('ordinary documents are scanned, exactly', () => {
  fc.assert(
    fc.property(documents(false), (text) => {
      expect(judge(Buffer.from(text))).toBe('ok');
    }),
    { numRuns: 3_000 },
  );
});

test('odd documents are exact or refused', () => {
  fc.assert(
    fc.property(documents(true), (text) => {
      judge(Buffer.from(text));
    }),
    { numRuns: 5_000 },
  );
});

test('documents after any edit are exact or refused', () => {
  const put = fc.oneof(
    fc
      .constantFrom(...'{}[]":,\\ \n\u0000\u001f0129.eE-+tfnu', 'é', '😀', '\ufeff', '"a":1,', ',"a":{}')
      .map((s) => Buffer.from(s)),
    fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
  );
  const edit = fc.tuple(fc.nat(), fc.nat(3), put);
  fc.assert(
    fc.property(documents(false), fc.array(edit, { minLength: 1, maxLength: 2 }), (text, edits) => {
      let bytes = Buffer.from(text);
      for (const [where, drop, put] of edits) {
        const cut = where % (bytes.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, cut), put, bytes.subarray(cut + drop)]);
      }
      judge(bytes);
    }),
    { numRuns: 8_000 },
  );
});

test('every prefix of a document is refused', () => {
  fc.assert(
    fc.property(documents(false), (text) => {
      const bytes = Buffer.from(text.trim());
      for (let end = 0; end < bytes.length; end++) expect(judge(bytes.subarray(0, end))).not.toBe('ok');
    }),
    { numRuns: 100 },
  );
});

test('strings of any bytes: accepted exactly when they are UTF-8 without control characters', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .array(
        fc.constantFrom(
          ...[
            'c0af',
            'c1bf',
            'c280',
            'dfbf',
            'e08080',
            'e09fbf',
            'e0a080',
            'ed9fbf',
            'eda080',
            'edbfbf',
            'ee8080',
          ],
          ...[
            'efbfbf',
            'f0808080',
            'f08fbfbf',
            'f0908080',
            'f48fbfbf',
            'f4908080',
            'f5808080',
            'f8888080',
            'ff',
            '80',
          ],
          ...['bf', 'c3', 'e282', 'f09f98', '61', '6162636465666768696a6b6c6d6e6f'],
        ),
        { maxLength: 8 },
      )
      .map((parts) => Buffer.from(parts.join(''), 'hex')),
  );
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  fc.assert(
    fc.property(bytes, fc.nat(20), fc.boolean(), (middle, pad, asName) => {
      const [before, after] = asName ? ['{"', '":1}'] : ['{"a":"', '"}'];
      const document = Buffer.concat([Buffer.from(before + 'x'.repeat(pad)), middle, Buffer.from(after)]);
      let valid = true;
      try {
        strict.decode(middle);
        valid = middle.every((byte) => byte >= 0x20 && byte !== 0x22 && byte !== 0x5c);
      } catch {
        valid = false;
      }
      const outcome = judge(document);
      if (!middle.includes(0x5c) && !middle.includes(0x22)) expect(outcome === 'ok').toBe(valid);
    }),
    { numRuns: 8_000 },
  );
});
