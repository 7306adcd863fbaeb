// The check against JSON.parse and TextDecoder, and against the reading of members in parsed values.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCheck } from './check.ts';

const check = createCheck();
const marks = {
  ...{ timeStart: 0, timeEnd: 0, assetStart: 0, assetEnd: 0, idStart: 0, idEnd: 0 },
  ...{ stampStart: 0, stampEnd: 0, loose: false },
};
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function expected(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(strict.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value) && depthOf(value) <= 64;
  } catch {
    return false;
  }
}

/** Checks the bytes amid others, so that reading past either end shows. */
function accepts(bytes: Buffer): boolean {
  return check(Buffer.concat([Buffer.from('"}'), bytes, Buffer.from('"}')]), 2, 2 + bytes.length, marks);
}

const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 6 }));
const text = object.chain((value) =>
  fc.constantFrom(JSON.stringify(value), JSON.stringify(value, null, 2), ` \t\r\n${JSON.stringify(value)}\n`),
);
const alphabet = [
  ...'{}[]":,\\/ \n\t\r\u0000\u001f\u007f',
  ...'bfnrtu0123456789abcdefABCDEF+-.eE',
  ...[
    'true',
    'false',
    'null',
    'é',
    '😀',
    '\ufeff',
    '"a":1',
    '1e400',
    '0'.repeat(20),
    'a longer text than 16 bytes',
  ],
];

test('every object is accepted', () => {
  fc.assert(
    fc.property(text, (json) => {
      expect(accepts(Buffer.from(json))).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test('any one edit of an object is judged as JSON.parse judges it', () => {
  const edit = fc.record({
    at: fc.nat(),
    drop: fc.nat(3),
    put: fc.oneof(
      fc.constantFrom(...alphabet).map((s) => Buffer.from(s)),
      fc.uint8Array({ maxLength: 3 }).map((b) => Buffer.from(b)),
    ),
  });
  fc.assert(
    fc.property(text, edit, (json, { at, drop, put }) => {
      const bytes = Buffer.from(json);
      const cut = at % (bytes.length + 1);
      const edited = Buffer.concat([bytes.subarray(0, cut), put, bytes.subarray(cut + drop)]);
      expect(accepts(edited), edited.toString()).toBe(expected(edited));
    }),
    { numRuns: 2_000 },
  );
});

test('anything made of JSON pieces is judged as JSON.parse judges it', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...alphabet), { maxLength: 24 }), (parts) => {
      const inner = parts.join('');
      for (const json of [
        inner,
        `{${inner}}`,
        `{"a":${inner}}`,
        `{"a":[${inner}]}`,
        `{"a":"${inner}"}`,
        `{"${inner}":0}`,
      ]) {
        const bytes = Buffer.from(json);
        expect(accepts(bytes), json).toBe(expected(bytes));
      }
    }),
    { numRuns: 1_500 },
  );
});

test('every prefix is judged as JSON.parse judges it', () => {
  fc.assert(
    fc.property(object, (value) => {
      const bytes = Buffer.from(JSON.stringify(value));
      for (let end = 0; end <= bytes.length; end++)
        expect(accepts(bytes.subarray(0, end))).toBe(expected(bytes.subarray(0, end)));
    }),
    { numRuns: 100 },
  );
});

test('random bytes in a string are judged as TextDecoder judges them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), (inner) => {
      const bytes = Buffer.concat([Buffer.from('{"key":"abcd'), inner, Buffer.from('efgh"}')]);
      expect(accepts(bytes)).toBe(expected(bytes));
    }),
    { numRuns: 2_000 },
  );
});

test('marks are where JSON.parse finds the members', () => {
  const small = fc.jsonValue({ maxDepth: 2 });
  const optional = { requiredKeys: [] };
  const asset = fc.record(
    { id: small, name: small, asset: small, data: small, '@timestamp': small },
    optional,
  );
  const data = fc.record(
    { asset: fc.oneof(asset, small), timestamp: small, name: small, data: small },
    optional,
  );
  const event = fc.record(
    {
      name: small,
      id: fc.oneof(fc.string(), small),
      '@timestamp': fc.oneof(fc.string(), small),
      asset,
      timestamp: small,
      before: data,
      data: fc.oneof(data, small),
      after: data,
      time: fc.string(),
    },
    optional,
  );
  fc.assert(
    fc.property(event, fc.nat(3), fc.constantFrom(0, 1), (value, shift, indent) => {
      const json = JSON.stringify(value, null, indent);
      const bytes = Buffer.from(' '.repeat(shift) + json);
      const parsed = JSON.parse(json);
      expect(check(bytes, shift, bytes.length, marks)).toBe(true);
      const at = (from: number, to: number): unknown =>
        from < 0 ? undefined : JSON.parse(bytes.toString('utf8', from, to));
      expect(at(marks.timeStart, marks.timeEnd)).toEqual(
        typeof parsed.timestamp === 'string' ? parsed.timestamp : undefined,
      );
      const plain = (part: unknown): boolean =>
        typeof part === 'object' && part !== null && !Array.isArray(part);
      const name = plain(parsed.data) && plain(parsed.data.asset) ? parsed.data.asset.name : undefined;
      expect(at(marks.assetStart, marks.assetEnd)).toEqual(typeof name === 'string' ? name : undefined);
      expect(at(marks.idStart, marks.idEnd)).toEqual(typeof parsed.id === 'string' ? parsed.id : undefined);
      const stamp = parsed['@timestamp'];
      expect(marks.stampStart >= 0).toBe(stamp !== undefined);
      if (typeof stamp === 'string') expect(at(marks.stampStart, marks.stampEnd)).toBe(stamp);
      else if (stamp !== undefined) expect(marks.stampEnd).toBe(-1);
      const first = JSON.stringify(stamp)?.[0];
      if (first !== undefined) expect(String.fromCharCode(bytes[marks.stampStart]!)).toBe(first);
    }),
    { numRuns: 2_000 },
  );
});

test('is loose when there is white space outside of strings, and only then', () => {
  fc.assert(
    fc.property(object, fc.nat(), fc.constantFrom(' ', '\n', '\t', '\r', '\n\n  '), (value, nth, space) => {
      const tokens = JSON.stringify(value).match(/"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^{}[\]:,"]+/g) ?? [];
      const tight = Buffer.from(tokens.join(''));
      expect(check(tight, 0, tight.length, marks)).toBe(true);
      expect(marks.loose).toBe(false);
      const at = nth % (tokens.length + 1);
      const wide = Buffer.from([...tokens.slice(0, at), space, ...tokens.slice(at)].join(''));
      expect(check(wide, 0, wide.length, marks)).toBe(true);
      expect(marks.loose).toBe(true);
    }),
    { numRuns: 1_000 },
  );
});

test.each([
  ['1},{"event":"x"', false],
  ['{"a":1},{"event":"x"}', false],
  ['{"a":1}{"event":"x"}', false],
  ['{"a":1}}', false],
  ['{"a":"\n"}', false],
  ['', false],
  [' \n', false],
  ['[]', false],
  ['null', false],
  ['\ufeff{}', false],
  ['{}\u0000', false],
  ['{"a":1,"a":2,"__proto__":3}', true],
  ['{"a":1e999,"b":123456789012345678901234567890}', true],
  [`${'{"a":'.repeat(64)}1${'}'.repeat(64)}`, true],
  [`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`, false],
  [`{"a":${'['.repeat(1_000_000)}`, false],
  [`{"a":"${'x'.repeat(1_048_576 - 8)}"}`, true],
  [`{"a":"${'x'.repeat(1_048_576 - 7)}"}`, false],
])('case %#', (value, wanted) => {
  expect(accepts(Buffer.from(value))).toBe(wanted);
});
