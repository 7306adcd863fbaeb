// Texts of issues: Atlassian's own schema judges the documents, and no value becomes more than text in either markup.
import { readFileSync } from 'node:fs';
import { compilePublishedCheck } from '@tocsin/schemas/codecs/validate.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRichText } from '../../domain/formats/rich-text.ts';
import { escapeMarkdown } from '../../domain/templates/escape-chat.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { adfOf } from './adf.ts';
import { data, send } from './fixtures/send.ts';
import { wikiOf } from './wiki.ts';

// @atlaskit/adf-schema 52.2.2, dist/json-schema/v1/full.json.
const checkAdf = compilePublishedCheck(
  JSON.parse(readFileSync(new URL('./fixtures/adf-schema.json', import.meta.url), 'utf8')),
);

// biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
type Node = any;
const nodesOf = (node: Node): Node[] => [node, ...(node.content ?? []).flatMap(nodesOf)];
const textOf = (node: Node): string =>
  nodesOf(node)
    .map((each) => (each.type === 'hardBreak' ? '\n' : (each.text ?? '')))
    .join('');

const sample = `# Title with *care*

First line
second **bold _both_** \`co*de\` and [text](https://example.com/a?b=1&c=2), https://example.com/x_y.

- one
- two [**b**](https://example.com/)

1. first
2) second

\`\`\`sql
SELECT * FROM a;
\`\`\``;

describe('markdown to ADF', () => {
  it('makes the nodes that Atlassian documents', () => {
    const document = adfOf(sample);
    expect(checkAdf(document)).toEqual([]);
    expect(document.content).toEqual([
      {
        type: 'heading',
        attrs: { level: 1 },
        content: [
          { type: 'text', text: 'Title with ' },
          { type: 'text', text: 'care', marks: [{ type: 'em' }] },
        ],
      },
      {
        type: 'paragraph',
        content: [
          { type: 'text', text: 'First line' },
          { type: 'hardBreak' },
          { type: 'text', text: 'second ' },
          { type: 'text', text: 'bold ', marks: [{ type: 'strong' }] },
          { type: 'text', text: 'both', marks: [{ type: 'strong' }, { type: 'em' }] },
          { type: 'text', text: ' ' },
          { type: 'text', text: 'co*de', marks: [{ type: 'code' }] },
          { type: 'text', text: ' and ' },
          {
            type: 'text',
            text: 'text',
            marks: [{ type: 'link', attrs: { href: 'https://example.com/a?b=1&c=2' } }],
          },
          { type: 'text', text: ', ' },
          {
            type: 'text',
            text: 'https://example.com/x_y',
            marks: [{ type: 'link', attrs: { href: 'https://example.com/x_y' } }],
          },
          { type: 'text', text: '.' },
        ],
      },
      {
        type: 'bulletList',
        content: [
          { type: 'listItem', content: [{ type: 'paragraph', content: [{ type: 'text', text: 'one' }] }] },
          {
            type: 'listItem',
            content: [
              {
                type: 'paragraph',
                content: [
                  { type: 'text', text: 'two ' },
                  {
                    type: 'text',
                    text: 'b',
                    marks: [{ type: 'strong' }, { type: 'link', attrs: { href: 'https://example.com/' } }],
                  },
                ],
              },
            ],
          },
        ],
      },
      {
        type: 'orderedList',
        content: ['first', 'second'].map((text) => ({
          type: 'listItem',
          content: [{ type: 'paragraph', content: [{ type: 'text', text }] }],
        })),
      },
      {
        type: 'codeBlock',
        attrs: { language: 'sql' },
        content: [{ type: 'text', text: 'SELECT * FROM a;' }],
      },
    ]);
  });

  it.each([
    ['nothing', ''],
    ['blank lines', '\n \n'],
    ['an open fence', '```\ncode'],
    ['an empty fence', '```\n```'],
    ['open marks', '**a *b `c [d](e'],
    ['a script address', '[x](javascript:alert(1)) [y](data:text/html,a)'],
    ['marks of nothing', '** ** `` []() _ _'],
    ['words with underscores', 'snake_case_name and 2*3*4'],
  ])('stays valid: %s', (_, text) => {
    expect(checkAdf(adfOf(text))).toEqual([]);
  });

  it('keeps a value as the text that it is, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.string({ unit: fc.constantFrom(...'*_`[]()#-+>&<~|@!\\/ 1.hx\n') }),
        ),
        (value) => {
          fc.pre(!/https?:\/\//i.test(value));
          const escaped = escapeMarkdown(value);
          for (const [text, expected] of [
            [`a ${escaped.replaceAll('\n', ' ')} b`, `a ${value.replace(/[\r\n]+/g, ' ')} b`],
            [escaped, value],
          ] as const) {
            const document = adfOf(text);
            expect(checkAdf(document)).toEqual([]);
            for (const node of nodesOf(document)) {
              expect(['doc', 'paragraph', 'text', 'hardBreak']).toContain(node.type);
              expect(node.marks).toBeUndefined();
            }
            const squeeze = (words: string): string => words.replace(/[\s\p{C}]+/gu, '');
            expect(squeeze(textOf(document))).toBe(squeeze(expected.toWellFormed()));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('lets no hostile value format, link under another name or mention', async () => {
    for (const [name, full] of Object.entries(hostileTexts)) {
      const value = full.slice(0, 10_000);
      const { body } = await send(
        { summary: 'x', description: 'Says {{data.v}}\n\n```\n{{data.v}}\n```' },
        data({ v: value }),
      );
      const document = body.fields.description;
      expect(checkAdf(document), name).toEqual([]);
      for (const node of nodesOf(document)) {
        expect(['doc', 'paragraph', 'text', 'hardBreak', 'codeBlock'], name).toContain(node.type);
        for (const { type, attrs } of node.marks ?? []) {
          expect(type, name).toBe('link');
          expect(attrs.href, name).toBe(node.text);
        }
      }
      expect(
        document.content.filter(({ type }: Node) => type === 'codeBlock'),
        name,
      ).toHaveLength(1);
    }
  });

  it('ends in time however a value is written', () => {
    for (const value of ['*', '`', '[', '[x](', '_a', '**', 'http://', '\\', '```\n', '- ', '&'])
      expect(parseRichText(escapeMarkdown(value.repeat(30_000 / value.length))).length).toBeGreaterThan(0);
  }, 5_000);
});

describe('markdown to wiki markup', () => {
  it('writes the notation of Jira', () => {
    expect(wikiOf(sample)).toBe(
      [
        'h1. Title with _care_',
        '',
        'First line',
        'second *bold* *_both_* {{co\\*de}} and [text|https://example.com/a?b=1&c=2], https://example.com/x_y.',
        '',
        '* one',
        '* two [b|https://example.com/]',
        '',
        '# first',
        '# second',
        '',
        '{noformat}',
        'SELECT * FROM a;',
        '{noformat}',
      ].join('\n'),
    );
  });

  it.each([
    [
      '[~admin] [^file] [link|https://evil.example]',
      '\\[\\~admin\\] \\[\\^file\\] \\[link\\|https://evil.example\\]',
    ],
    ['{code}x{code} {html}', '\\{code\\}x\\{code\\} \\{html\\}'],
    ['!https://evil.example/x.png!', '\\!https://evil.example/x.png\\!'],
    ['https://x.example/!a!b', 'https://x.example/%21a%21b'],
    ['*b* _i_ -s- +u+ ^s^ ??c??', '\\*b\\* \\_i\\_ \\-s\\- \\+u\\+ \\^s\\^ \\?\\?c\\?\\?'],
    ['C:\\\\share\\x', 'C:&#92;&#92;share&#92;x'],
    ['h1. big', '\u200bh1. big'],
    ['a-b 2026-04-28', 'a-b 2026-04-28'],
    ['&#91;~admin&#93;', '&amp;#91;\\~admin&amp;#93;'],
    ['https://x.example/[~admin]a', 'https://x.example/%5B~admin%5Da'],
    ['see https://x.example/[~admin]a', 'see https://x.example/%5B~admin%5Da'],
  ])('%s', (value, wiki) => {
    expect(wikiOf(escapeMarkdown(value))).toBe(wiki);
  });

  it('closes no block from inside', () => {
    expect(wikiOf(`\`\`\`\n${escapeMarkdown('{noformat}\n[~admin]')}\n\`\`\``)).toBe(
      '{noformat}\n{\u200bnoformat}\n[~admin]\n{noformat}',
    );
  });
});
