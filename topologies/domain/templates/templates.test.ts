// Templates: what is refused at save, what renders, and that rendering stays bounded.
import { describe, expect, it } from 'vitest';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { checkTemplate } from './check.ts';
import type { Escape } from './escape.ts';
import { checkJsonTemplate, renderJson } from './json-template.ts';
import { TemplateError, templateLimits } from './parse.ts';
import { renderText } from './render.ts';
import { viewsOf } from './view.ts';

const refused = (text: string, kind: Escape = 'html'): string =>
  checkTemplate(text, kind, '/x')[0]?.message ?? '';
const render = (text: string, view: unknown, kind: Escape = 'none'): string =>
  renderText(text, [view], kind).text;

describe('T07 T08 C14 refused at save', () => {
  it.each([
    ['{{{x}}}', /raw tag/],
    ['{{&x}}', /raw tag/],
    ['{{> /etc/passwd}}', /partial/],
    ['{{=<% %>=}}', /delimiters/],
    ['{{ = | | = }}', /delimiters/],
    ['{{#a}}', /Unclosed section/],
    ['{{/a}}', /Unopened section/],
    ['{{#a}}{{/b}}', /Unclosed section/],
    ['{{a', /not closed/],
    ['{{}}', /empty tag/],
    ['{{constructor}}', /constructor/],
    ['{{__proto__.x}}', /__proto__/],
    ['{{a.prototype}}', /prototype/],
    ['{{#constructor}}x{{/constructor}}', /constructor/],
    ['{{constructor.constructor}}', /constructor/],
    ['{{a..b}}', /malformed/],
    ['{{a\u0000b}}', /character/],
    [`{{${'a'.repeat(300)}}}`, /longer than 256/],
    [`{{${' '.repeat(16_000)}a}}`, /longer than 256/],
    [`{{${Array.from({ length: 11 }, () => 'a').join('.')}}}`, /more than 10 parts/],
    ['{{a}}'.repeat(201), /more than 200 tags/],
    ['x'.repeat(16 * 1024 + 1), /longer than 16384 bytes/],
    ['é'.repeat(8 * 1024 + 1), /longer than 16384 bytes/],
    ['{{#a}}'.repeat(6) + '{{/a}}'.repeat(6), /deeper than 5/],
    ['{{#a}}'.repeat(5000) + '{{/a}}'.repeat(5000), /longer than/],
    ['{{#a}}'.repeat(1200), /more than 200 tags/],
  ])('%#', (text, reason) => {
    expect(refused(text)).toMatch(reason);
  });

  it('allows raw tags in plain text only', () => {
    for (const kind of ['html', 'json', 'header', 'url'] as const)
      expect(refused('{{{x}}}', kind)).toMatch(/raw tag/);
    for (const kind of ['text', 'none'] as const) expect(refused('{{{x}}} {{&x}}', kind)).toBe('');
  });

  it('takes what is at the limits', () => {
    expect(refused('{{#a}}'.repeat(5) + '{{/a}}'.repeat(5))).toBe('');
    expect(refused('{{a}}'.repeat(200))).toBe('');
    expect(refused('x'.repeat(16 * 1024))).toBe('');
    expect(refused('{{! a comment }}x')).toBe('');
  });
});

describe('names', () => {
  it('finds nested fields, flat keys with dots, and mixtures; nesting wins', () => {
    expect(render('{{source.ip}}', { 'source.ip': '192.0.2.1' })).toBe('192.0.2.1');
    expect(render('{{source.ip}}', { source: { ip: 'nested' }, 'source.ip': 'flat' })).toBe('nested');
    expect(render('{{source.ip}}', { source: { mac: 'x' }, 'source.ip': 'flat' })).toBe('flat');
    expect(render('{{a.b.c.d}}', { 'a.b': { 'c.d': 1 } })).toBe('1');
    expect(
      render('{{ user agent }} {{@timestamp}} {{поле}}', { 'user agent': 'x', '@timestamp': 't', поле: 'y' }),
    ).toBe('x t y');
  });

  it('T07 sees own fields only and calls nothing', () => {
    const view = { f: () => 'called', list: [1, 2] };
    const { text, missing } = renderText(
      '{{toString}}{{hasOwnProperty}}{{list.length}}{{f}}{{text.length}}',
      [view, { text: 'abc' }],
      'none',
    );
    expect(text).toBe('2');
    expect(missing).toEqual(['toString', 'hasOwnProperty', 'f', 'text.length']);
    expect(render('{{#f}}x{{/f}}{{#toString}}y{{/toString}}', view)).toBe('');
    expect(render('{{a}}', JSON.parse('{"__proto__": {"a": 1}}'))).toBe('');
    expect(
      render('{{a}}{{o.a}}', Object.assign(Object.create({ a: 1 }), { o: Object.create({ a: 2 }) })),
    ).toBe('');
  });

  it('C15 names what is missing once, but not sections and not null', () => {
    const { text, missing } = renderText(
      '{{a}}{{a}}{{b.c}}{{#s}}x{{/s}}{{^s}}y{{/s}}{{n}}',
      [{ n: null, b: 1 }],
      'none',
    );
    expect(text).toBe('y');
    expect(missing).toEqual(['a', 'b.c']);
  });
});

describe('values', () => {
  it('writes scalars, lists and objects as a person would', () => {
    const view = { n: 9.8, t: true, z: 0, l: ['a', 1, null], o: { b: 1 }, m: [{ a: 1 }] };
    expect(render('{{n}} {{t}} {{z}} {{l}} {{o}} {{m}}', view)).toBe('9.8 true 0 a, 1,  {"b":1} [{"a":1}]');
  });

  it('T07 never reads a value as a template', () => {
    expect(render('{{a}}', { a: "{{constructor.constructor('return process')()}}{{b}}", b: 'no' })).toBe(
      "{{constructor.constructor('return process')()}}{{b}}",
    );
  });

  it('repeats sections, with the outer view behind the inner one', () => {
    expect(
      render('{{#rows}}\n- {{host}} of {{team}}{{^last}},{{/last}}\n{{/rows}}\n', {
        team: 'blue',
        rows: [{ host: 'a' }, { host: 'b', last: true }],
      }),
    ).toBe('- a of blue,\n- b of blue\n');
    expect(render('{{#l}}{{.}};{{/l}}', { l: ['a', 0, false] })).toBe('a;0;false;');
    expect(render('{{#o}}{{a}}{{/o}}', { o: { a: 1 } })).toBe('1');
  });

  it.each<[Escape, string]>([
    ['html', '&lt;a b&#61;&quot;c&quot;&gt;&amp;&#39;&#96;\n\t'],
    ['json', '<a b=\\"c\\">&\'`\\n\\t\\r\\u001b\\u2028\\u0000'],
    ['header', '<a b="c">&\'` '],
    ['url', '%3Ca%20b%3D%22c%22%3E%26%27%60%0A%09%0D%1B%E2%80%A8%00'],
    ['text', '<a b="c">&\'`\n\t\n\u2028'],
    ['none', '<a b="c">&\'`\n\t\r\u001b\u2028\u0000'],
  ])('escapes for %s', (kind, expected) => {
    const value = '<a b="c">&\'`\n\t\r\u001b\u2028\u0000';
    const template = kind === 'json' ? '"{{v}}"' : '{{v}}';
    const text = render(template, { v: value }, kind);
    expect((kind === 'json' ? text.slice(1, -1) : text).replace(kind === 'html' ? '\u2028' : '', '')).toBe(
      expected,
    );
  });
});

describe('bounds', () => {
  const list = (length: number): unknown[] => Array.from({ length }, () => ({ x: 'y'.repeat(10) }));

  it('cuts lists at 1,000 items and says so', () => {
    const { text, warnings } = renderText('{{#l}}.{{/l}}', [{ l: list(1500) }], 'none');
    expect(text).toHaveLength(templateLimits.items);
    expect(warnings).toEqual(['{{#l}} shows 1000 of 1500 items']);
  });

  it('T08 stops nested loops at the output limit', () => {
    const view = { l: list(200) };
    expect(() => render('{{#l}}{{#l}}{{x}}{{/l}}{{/l}}', view)).toThrow(/longer than 262144 bytes/);
    expect(() => render('{{#l}}{{#l}}{{#l}}{{x}}{{/l}}{{/l}}{{/l}}', view)).toThrow(TemplateError);
    expect(() => render('{{x}}{{x}}', { x: 'é'.repeat(70_000) })).toThrow(TemplateError);
  });

  it('stops loops that write nothing', () => {
    const started = performance.now();
    expect(() =>
      render('{{#l}}{{#l}}{{#l}}{{#l}}{{^l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}', { l: list(1000) }),
    ).toThrow(/too many steps/);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('JSON trees', () => {
  it('keeps numbers, lists and objects of leaves that are one token; keys are literal', () => {
    const tree = {
      a: '{{n}}',
      b: [{ c: '{{o}}' }],
      d: 'x{{n}}',
      e: 5,
      f: null,
      g: '{{none}}',
      h: '{{#l}}{{.}}{{/l}}',
    };
    const rendered = renderJson(tree, [{ n: 9.8, o: { k: [1] }, l: [1, 2] }]);
    expect(rendered.value).toEqual({
      a: 9.8,
      b: [{ c: { k: [1] } }],
      d: 'x9.8',
      e: 5,
      f: null,
      g: null,
      h: '12',
    });
    expect(rendered.missing).toEqual(['none']);
  });

  it('names the leaf that is refused', () => {
    const tree = JSON.parse('{"a": ["{{#x}}"], "b/c": "{{{raw}}}", "{{k}}": 1, "__proto__": 1}');
    expect(checkJsonTemplate(tree, '/body').map(({ path }) => path)).toEqual([
      '/body/a/0',
      '/body/b~1c',
      '/body/{{k}}',
      '/body/__proto__',
    ]);
    let deep: unknown = 1;
    for (let level = 0; level < 5000; level += 1) deep = [deep];
    expect(checkJsonTemplate(deep, '/body')).toHaveLength(1);
  });
});

describe('views', () => {
  const now = Date.UTC(2026, 3, 28, 12, 0, 1);
  const show = (
    text: string,
    command: Parameters<typeof viewsOf>[0],
    locals?: Record<string, unknown>,
  ): string =>
    renderText(text, viewsOf(command, locals === undefined ? { now } : { now, locals }), 'none').text;

  it('shows the envelope of an event, and members of data at the top', () => {
    expect(
      show('{{event}} {{timestamp}} {{data.title}} {{title}} {{asset.name}} {{data.cvss}}', eventCommand()),
    ).toBe(
      'finding.new 2026-04-28T12:00:00Z SQL Injection in /api/login SQL Injection in /api/login api.example.com 9.8',
    );
    expect(show('{{event}}', eventCommand({ event: { event: 'e', data: { event: 'shadow' } } }))).toBe('e');
  });

  it('shows the first row at the top, all rows in a section, and the system behind them', () => {
    const command = rowsCommand([{ 'source.ip': '192.0.2.1', rule: 'text' }, { 'source.ip': '192.0.2.2' }]);
    expect(
      show('{{source.ip}} {{#rows}}[{{source.ip}}]{{/rows}} {{row_count}} {{search.name}}', command),
    ).toBe('192.0.2.1 [192.0.2.1][192.0.2.2] 2 Failed logins');
    expect(show('{{rule}} {{rule.name}} {{rule.id}} {{action.id}} {{command_id}} {{sent_at}}', command)).toBe(
      'text Critical findings critical-findings notify 0123456789abcdef0123456789abcdef 2026-04-28T12:00:01.000Z',
    );
  });

  it('prefers local, then row, then global parameters, then the system', () => {
    const command = rowsCommand([{ a: 'row', b: 'row' }]);
    const search = { ...command.subject.search, global_params: { b: 'global', c: 'global', mode: 'global' } };
    const all = { ...command, subject: { ...command.subject, search } };
    expect(show('{{a}} {{b}} {{c}} {{mode}} {{row_count}}', all, { a: 'local' })).toBe(
      'local row global global 1',
    );
  });
});
