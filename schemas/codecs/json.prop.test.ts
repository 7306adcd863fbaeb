// parseJson against two independent judges: JSON.parse for values, and a slow reader of member names for duplicates.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJson } from './json.ts';

const any = { topLevel: 'any', forbiddenKeys: 'drop' } as const;
const safe = fc.jsonValue({ noUnicodeString: false } as object);

test('what JSON.stringify writes comes back as JSON.parse reads it', () => {
  fc.assert(
    fc.property(safe, fc.constantFrom(undefined, 1, '\t', ' \r\n'), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      const result = parseJson(Buffer.from(text), any);
      if (!result.ok) expect(['number_range', 'utf8']).toContain(result.reason);
      else if (result.dropped.length === 0) expect(result.value).toEqual(JSON.parse(text));
    }),
    { numRuns: 500 },
  );
});

test('it accepts nothing that JSON.parse refuses, and gives the same value', () => {
  const token = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"b"',
    '"\\u0061"',
    '"',
    '\\',
    '1',
    '-',
    '1e9',
    ' ',
    'true',
    'é',
  );
  fc.assert(
    fc.property(
      fc.array(token, { maxLength: 24 }).map((parts) => parts.join('')),
      (text) => {
        const result = parseJson(Buffer.from(text), any);
        const expected = attempt(() => JSON.parse(text) as unknown);
        if (result.ok) expect({ value: result.value }).toEqual(expected);
        else if (result.reason === 'json_syntax' && text !== '') expect(expected).toBeNull();
      },
    ),
    { numRuns: 3_000 },
  );
});

test('any bytes give an answer, and UTF-8 is judged as TextDecoder judges it', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const inString = fc
    .uint8Array({ maxLength: 12 })
    .map((middle) => Buffer.concat([Buffer.from('{"a":"'), middle, Buffer.from('"}')]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 40 }), inString), (bytes) => {
      const result = parseJson(bytes, any);
      if (attempt(() => decoder.decode(bytes)) === null) expect(result.ok).toBe(false);
      if (!result.ok && result.reason === 'utf8' && bytes[0] !== 0 && bytes[1] !== 0)
        expect(attempt(() => decoder.decode(bytes))).toBeNull();
    }),
    { numRuns: 2_000 },
  );
});

test('duplicates are found exactly: any number of names, escaped or not', () => {
  const name = fc.oneof(
    fc.constantFrom('a', 'b', 'ab', '', 'é', '"', '\\', '__proto_', 'constructor_'),
    fc.integer({ min: 0, max: 300 }).map((k) => `k${k}`),
  );
  const written = fc.tuple(name, fc.boolean()).map(([text, escaped]) => ({
    text,
    json:
      escaped && text !== ''
        ? `"\\u${text.charCodeAt(0).toString(16).padStart(4, '0')}${JSON.stringify(text.slice(1)).slice(1)}`
        : JSON.stringify(text),
  }));
  fc.assert(
    fc.property(fc.array(written, { maxLength: 60 }), fc.boolean(), (members, nest) => {
      const body = `{${members.map(({ json }, k) => `${json}:${nest && k % 3 === 0 ? '{"a":1,"k1":[{"b":2}]}' : k}`).join(',')}}`;
      const result = parseJson(Buffer.from(body), any);
      const duplicate = new Set(members.map(({ text }) => text)).size < members.length;
      expect(result.ok ? 'ok' : result.reason).toBe(duplicate ? 'duplicate_key' : 'ok');
    }),
    { numRuns: 500 },
  );
});

test('numbers are accepted exactly when a double holds them', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (integer) => {
      const bytes = Buffer.from(`{"n":${integer}}`);
      const result = parseJson(bytes);
      const fits = integer >= -(2n ** 53n - 1n) && integer <= 2n ** 53n - 1n;
      expect(result.ok).toBe(fits);
      const kept = parseJson(bytes, { bigIntegers: 'text' });
      expect(kept).toMatchObject({ ok: true, value: { n: fits ? Number(integer) : String(integer) } });
    }),
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (double) => {
      const text = JSON.stringify({ n: double });
      const result = parseJson(Buffer.from(text));
      if (result.ok) expect(result.value).toEqual(JSON.parse(text));
      else
        expect(Number.isInteger(double) && !Number.isSafeInteger(double) && /\d{16}/.test(text)).toBe(true);
    }),
  );
});

function attempt<T>(read: () => T): { value: T } | null {
  try {
    return { value: read() };
  } catch {
    return null;
  }
}
