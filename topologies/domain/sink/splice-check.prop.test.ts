// The splice check against JSON.parse and TextDecoder: it accepts what they accept, if it is an object of bounded depth.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkObject, createMarks, createSpliceCheck, deepest, spliceReasons } from './splice-check.ts';

const marks = createMarks();
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function expected(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(strict.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value) && depthOf(value) <= deepest;
  } catch {
    return false;
  }
}

const checks = [
  { name: 'checkObject', check: checkObject },
  { name: 'the check of a sink', check: createSpliceCheck() },
];

const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 6 }));
const text = object.chain((value) =>
  fc.constantFrom(JSON.stringify(value), JSON.stringify(value, null, 2), ` \t\r\n${JSON.stringify(value)}\n`),
);
const alphabet = [
  ...'{}[]":,\\/ \n\t\r\u0000\u001f\u007f',
  ...'bfnrtu0123456789abcdefABCDEF+-.eE',
  'true',
  'false',
  'null',
  'é',
  '😀',
  '\ufeff',
];

describe.each(checks)('$name against JSON.parse', ({ check }) => {
  /** Checks the bytes in the middle of others, so that reading past either end shows. */
  function accepts(bytes: Buffer, around = '"}'): boolean {
    const whole = Buffer.concat([Buffer.from(around), bytes, Buffer.from(around)]);
    return check(whole, around.length, around.length + bytes.length, marks) === 0;
  }

  it('accepts every object', () => {
    fc.assert(
      fc.property(text, (json) => {
        expect(accepts(Buffer.from(json))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('agrees after any one edit of an object', () => {
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
      { numRuns: 1500 },
    );
  });

  it('agrees on anything made of JSON pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...alphabet), { maxLength: 24 }), (parts) => {
        for (const json of [
          parts.join(''),
          `{${parts.join('')}}`,
          `{"a":${parts.join('')}}`,
          `{"a":"${parts.join('')}"}`,
        ]) {
          const bytes = Buffer.from(json);
          expect(accepts(bytes), json).toBe(expected(bytes));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('agrees on every prefix', () => {
    fc.assert(
      fc.property(object, (value) => {
        const bytes = Buffer.from(JSON.stringify(value));
        for (let end = 0; end <= bytes.length; end++)
          expect(accepts(bytes.subarray(0, end))).toBe(expected(bytes.subarray(0, end)));
      }),
      { numRuns: 100 },
    );
  });

  it('agrees on random bytes in a string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (inner) => {
        const bytes = Buffer.concat([Buffer.from('{"key":"abcd'), inner, Buffer.from('efgh"}')]);
        expect(accepts(bytes)).toBe(expected(bytes));
      }),
      { numRuns: 1500 },
    );
  });

  it('marks what JSON.parse finds', () => {
    const asset = fc.record(
      { id: fc.jsonValue(), name: fc.jsonValue(), asset: fc.jsonValue() },
      { requiredKeys: [] },
    );
    const data = fc.record(
      {
        asset: fc.oneof(asset, fc.jsonValue()),
        timestamp: fc.jsonValue(),
        name: fc.jsonValue(),
        data: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    const event = fc.record(
      {
        name: fc.jsonValue(),
        id: fc.oneof(fc.string(), fc.jsonValue()),
        '@timestamp': fc.oneof(fc.string(), fc.jsonValue()),
        asset,
        timestamp: fc.jsonValue(),
        data: fc.oneof(data, fc.jsonValue()),
        event: fc.string(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(event, (value) => {
        const json = JSON.stringify(value);
        const bytes = Buffer.from(json);
        const parsed = JSON.parse(json);
        expect(check(bytes, 0, bytes.length, marks)).toBe(0);
        const at = (from: number, to: number): unknown =>
          from < 0 ? undefined : JSON.parse(bytes.toString('utf8', from, to));
        expect(at(marks.idStart, marks.idEnd)).toEqual(typeof parsed.id === 'string' ? parsed.id : undefined);
        const stamp = parsed['@timestamp'];
        expect(marks.stampStart >= 0).toBe(stamp !== undefined);
        if (stamp !== undefined)
          expect(typeof stamp === 'string' ? at(marks.stampStart, marks.stampEnd) : marks.stampEnd).toBe(
            typeof stamp === 'string' ? stamp : -1,
          );
        const name = parsed.data?.asset?.name;
        expect(at(marks.timeStart, marks.timeEnd)).toEqual(
          typeof parsed.timestamp === 'string' ? parsed.timestamp : undefined,
        );
        const isPlain =
          typeof parsed.data === 'object' &&
          !Array.isArray(parsed.data) &&
          typeof parsed.data?.asset === 'object' &&
          !Array.isArray(parsed.data.asset);
        expect(at(marks.assetStart, marks.assetEnd)).toEqual(
          isPlain && typeof name === 'string' ? name : undefined,
        );
      }),
      { numRuns: 1000 },
    );
  });
});

describe.each(checks)('$name names the reason', ({ check }) => {
  const reason = (bytes: Buffer | string): string => {
    const buffer = Buffer.from(bytes as string);
    return spliceReasons[check(buffer, 0, buffer.length, marks)]!;
  };
  it.each([
    ['1},{"event":"x"', 'not_object'],
    ['{"a":1},{"event":"x"}', 'json_syntax'],
    ['{"a":1}{"event":"x"}', 'json_syntax'],
    ['{"a":1}}', 'json_syntax'],
    ['{"a":"\n"}', 'json_syntax'],
    ['{"severity":"crit', 'json_syntax'],
    ['{"a":NaN}', 'json_syntax'],
    ['', 'empty'],
    [' \n', 'empty'],
    ['[]', 'not_object'],
    ['"x"', 'not_object'],
    ['null', 'not_object'],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'utf8'],
    [Buffer.from('{"a":1}', 'utf16le'), 'utf8'],
    [Buffer.from([0xff, 0xfe, 0x7b, 0, 0x7d, 0]), 'utf8'],
    [`${'{"a":'.repeat(deepest)}1${'}'.repeat(deepest)}`, 'ok'],
    [`${'{"a":'.repeat(deepest + 1)}1${'}'.repeat(deepest + 1)}`, 'depth'],
    [`{"a":${'['.repeat(1_000_000)}`, 'depth'],
    [`{"more than the scan takes at once":"${'x'.repeat(2 ** 20)}"}`, 'ok'],
    ['{"__proto__":{"severity":"critical"}}', 'ok'],
  ])('case %#', (value, wanted) => {
    expect(reason(value)).toBe(wanted);
  });
});
