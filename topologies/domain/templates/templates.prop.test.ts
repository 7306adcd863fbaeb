// No value changes the structure around it: checked with independent parsers over generated values.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rowsCommand } from '../../testing/fixtures.ts';
import { renderJson } from './json-template.ts';
import { renderText } from './render.ts';
import { viewsOf } from './view.ts';

const nasty = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom(
      '"',
      '\\',
      '{',
      '}',
      '<',
      '>',
      '&',
      "'",
      '=',
      '\r',
      '\n',
      '\u2028',
      '\ud800',
      '/',
      '.',
      '%',
      'a',
      ',',
      ':',
    ),
  }),
  fc.constantFrom(
    '","admin":true,"x":"',
    '{{b}}',
    '{{{b}}}',
    '\r\nBcc: x',
    '</b><script>',
    '..',
    '%2e%2e',
    '\\',
    '\\"',
    "' onload='x",
  ),
);
const value = fc.oneof(
  nasty,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(nasty, { maxLength: 3 }),
  fc.dictionary(nasty, nasty, { maxKeys: 3 }),
);

const json = '{"s": "{{v}}", "t": "x{{v}}\\\\{{w}}", "v": {{v}}, "l": [{{w}}, {{v}}]}';

test('JSON text keeps its keys and the length of its lists', () => {
  fc.assert(
    fc.property(value, value, (v, w) => {
      const parsed = JSON.parse(renderText(json, [{ v, w }], 'json').text) as Record<string, unknown>;
      expect(Object.keys(parsed)).toEqual(['s', 't', 'v', 'l']);
      expect(parsed['l']).toHaveLength(2);
      if (typeof v === 'string') {
        expect(parsed['s']).toBe(v);
        expect(parsed['v']).toBe(v);
        expect((parsed['l'] as unknown[])[1]).toBe(v);
      }
    }),
  );
});

test('JSON trees keep their keys and give strings back exactly', () => {
  fc.assert(
    fc.property(value, nasty, (v, w) => {
      const parsed = JSON.parse(JSON.stringify(renderJson({ a: '{{v}}', b: ['x{{w}}y'] }, [{ v, w }]).value));
      expect(Object.keys(parsed)).toEqual(['a', 'b']);
      expect(parsed.b).toEqual([`x${w}y`]);
      expect(parsed.a).toEqual(JSON.parse(JSON.stringify(v)));
    }),
  );
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must be absent
const breaking = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

test('a header stays one line of printable text', () => {
  fc.assert(
    fc.property(value, (v) => {
      expect(renderText('x{{v}}', [{ v }], 'header').text).not.toMatch(breaking);
    }),
  );
});

test('HTML keeps its tags and attributes', () => {
  fc.assert(
    fc.property(value, (v) => {
      const html = renderText('<p title="{{v}}" lang=\'{{v}}\'>{{v}}</p>', [{ v }], 'html').text;
      // A tokenizer of five lines: outside tags no '<' or '>', inside the tag exactly two quoted attributes.
      expect(html).toMatch(/^<p title="[^"<>]*" lang='[^'<>]*'>[^<>]*<\/p>$/);
      expect(html).not.toMatch(/&(?!amp;|lt;|gt;|quot;|#39;|#96;|#61;)/);
    }),
  );
});

test('a URL component is one segment and gives the text back', () => {
  fc.assert(
    fc.property(nasty, (v) => {
      const text = renderText('{{v}}', [{ v }], 'url').text;
      expect(text).toMatch(/^[A-Za-z0-9\-._~%]*$/);
      expect(decodeURIComponent(text)).toBe(v.toWellFormed());
      const url = new URL(`https://x.example/p?a=${text}&b=1`);
      expect([...url.searchParams.keys()]).toEqual(['a', 'b']);
      expect(url.host).toBe('x.example');
    }),
  );
});

test('any template text either is refused or renders within the limits, never anything else', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '{{',
      '}}',
      '{{{',
      '}}}',
      '{{#a}}',
      '{{/a}}',
      '{{^a}}',
      '{{a}}',
      '{{>a}}',
      '{{=',
      '=}}',
      '{{!',
      '{{&a}}',
      '\n',
      ' ',
      '.',
      'a',
      '{{.}}',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), value, (pieces, a) => {
      try {
        const { text } = renderText(pieces.join(''), [{ a }], 'html');
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(256 * 1024);
      } catch (error) {
        expect((error as Error).name).toBe('TemplateError');
      }
    }),
  );
});

test('rows with any field names render', () => {
  fc.assert(
    fc.property(fc.array(fc.dictionary(fc.string(), value), { minLength: 1, maxLength: 5 }), (rows) => {
      const views = viewsOf(rowsCommand(rows), { now: 0 });
      expect(renderText('{{#rows}}x{{/rows}}', [{ rows }, ...views], 'none').text).toBe(
        'x'.repeat(rows.length),
      );
    }),
  );
});
