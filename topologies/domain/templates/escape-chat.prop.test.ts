// Escapes of chat messages over any text: what a value can never do, whatever it is.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { breakMentions, cutText, escapeMarkdown, escapeMrkdwn, fencedText, webUrl } from './escape-chat.ts';
import { renderText } from './render.ts';

// Text in which the characters that mean something are frequent.
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...[
          '<',
          '>',
          '&',
          '!',
          '@',
          '#',
          '|',
          '`',
          '```',
          '*',
          '_',
          '[',
          ']',
          '(',
          ')',
          '\\',
          '~',
          '\n',
          '\r',
          ' ',
          '- ',
          '1. ',
        ],
        ...[
          'here',
          'channel',
          'all',
          'https://',
          'x.example',
          '\u202e',
          '\u2066',
          '\u0000',
          '\ud800',
          '&lt;',
          '$&',
        ],
      ),
      fc.string({ maxLength: 4, unit: 'binary' }),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

const calls = /(?<![\p{L}\p{N}._%+-])@[\p{L}\p{N}]/u;
const hidden = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|[^\P{Cc}\t\n]/u;

test('a value in mrkdwn has no control character of Slack, calls nobody and closes no code span', () => {
  fc.assert(
    fc.property(hostile, (value) => {
      const text = escapeMrkdwn(value);
      expect(text).not.toMatch(/[<>`]|&(?!(amp|lt|gt);)/);
      expect(text).not.toMatch(calls);
      expect(text).not.toMatch(hidden);
      expect(text.isWellFormed()).toBe(true);
    }),
  );
});

test('a value after < in mrkdwn is an address or begins with nothing that Slack reads', () => {
  fc.assert(
    fc.property(hostile, (value) => {
      const { text } = renderText('<{{v}}|open>', [{ v: value }], 'mrkdwn');
      expect(text).toMatch(/^<(https?:\/\/|\u200b)/i);
    }),
  );
});

test('a value in Markdown has every mark escaped, and calls nobody', () => {
  fc.assert(
    fc.property(hostile, (value) => {
      const text = escapeMarkdown(value);
      if (webUrl(value) === null)
        expect(text.replace(/\\[\\`*_[\]~|#+=.)-]/g, '')).not.toMatch(/[\\`*[\]|#]/);
      expect(text).not.toMatch(/[<>]|&(?!(amp|lt|gt);)/);
      expect(text).not.toMatch(/^ ?([-+=]|\d{1,9}[.)])(\s|$)/m);
      expect(text).not.toMatch(/^(\t| {4})/m);
      expect(text).not.toMatch(calls);
      expect(text).not.toMatch(hidden);
    }),
  );
});

test('a value in a code block does not end it', () => {
  fc.assert(
    fc.property(hostile, (value) => {
      expect(fencedText(value)).not.toMatch(/`|<[!@#]/);
      expect(fencedText(value)).not.toMatch(calls);
    }),
  );
});

test('an address stays the same place, with nothing in it that ends a link', () => {
  fc.assert(
    fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (url) => {
      const kept = webUrl(url);
      if (kept === null) return;
      expect(kept).not.toMatch(/[()[\]|@*<>\s]/);
      expect(new URL(kept).host).toBe(new URL(url).host);
      expect(decodeURI(new URL(kept).pathname).length).toBeGreaterThan(0);
    }),
  );
  for (const text of [
    'javascript:alert(1)',
    'https://',
    'https://a b',
    'https://x/<b>',
    'see https://x',
    'ftp://x',
    'https://good.example@evil.example/',
    'http://[::1]/',
    '',
  ])
    expect(webUrl(text), text).toBeNull();
});

test('a cut is never longer than asked, and leaves nothing half', () => {
  fc.assert(
    fc.property(hostile, fc.integer({ min: 1, max: 40 }), (value, max) => {
      const cut = cutText(escapeMrkdwn(value), max);
      expect(cut.length).toBeLessThanOrEqual(max);
      expect(cut).not.toMatch(/&(?!(amp|lt|gt);)/);
      expect(cut.isWellFormed()).toBe(true);
      // An odd number of backslashes at the end would escape what follows.
      expect(/(\\*)…$/.exec(cutText(escapeMarkdown(value), max))?.[1]?.length ?? 0).toSatisfy(
        (count: number) => count % 2 === 0,
      );
    }),
  );
});

test('a cut keeps pairs of backslashes whole', () => {
  const text = '\\\\'.repeat(5);
  expect([4, 5, 6].map((max) => cutText(text, max))).toEqual(['\\\\…', '\\\\\\\\…', '\\\\\\\\…']);
});

test('mail addresses stay as they are', () => {
  for (const text of ['root@example.com', 'a.b+c@x.example', 'a-@b', '@ x', 'user@'])
    expect(breakMentions(text)).toBe(text);
  expect(breakMentions('@all,@Bob (@x)')).toBe('@\u200ball,@\u200bBob (@\u200bx)');
});

test('all are linear in hostile input', () => {
  const started = performance.now();
  for (const part of ['@', '<!', '&', '\\', '`', '\n-', '\n1', '\n ', 'https://', 'a.'])
    for (const change of [escapeMrkdwn, escapeMarkdown, fencedText, breakMentions])
      change(part.repeat(100_000));
  expect(performance.now() - started).toBeLessThan(3_000);
});
