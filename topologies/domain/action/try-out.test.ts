// Trying out: the command that would be decided, each text by itself, and that stand-ins fit every kind of connection.
import { checkDocument } from '@tocsin/schemas/codecs/validate.ts';
import { describe, expect, it } from 'vitest';
import { findingNew } from '../../testing/fixtures.ts';
import {
  commandToTry,
  standInConnections,
  type TrySubject,
  tooManyTexts,
  tryParams,
  tryTexts,
  withStandIns,
} from './try-out.ts';

const now = Date.parse('2026-04-28T12:00:00Z');
const rows = [
  { user: 'alice', 'source.ip': '10.0.0.1', asset: { name: 'web' } },
  { user: 'bob', 'source.ip': '10.0.0.2', rule: 'of the row' },
];
const ofRows = (more: Partial<TrySubject> = {}): TrySubject => ({ mode: 'each', rowIndex: 0, rows, ...more });
const tried = (params: Record<string, unknown>, subject: TrySubject) =>
  tryParams(params, commandToTry('log', params, subject, now), now);
const text = (template: string, subject: TrySubject) => tried({ template }, subject)[0];

describe('the command', () => {
  it.each<[string, TrySubject]>([
    ['of an event', { mode: 'each', rowIndex: 0, event: findingNew }],
    ['of a row', ofRows({ rowIndex: 1, search: { job_id: 'j' }, globalParams: { site: 'Berlin' } })],
    ['of all rows', ofRows({ mode: 'all' })],
  ])('%s is a command as they travel', (_, subject) => {
    expect(checkDocument('command.json', commandToTry('log', {}, subject, now, 'hook'))).toEqual([]);
  });

  it('takes the rows of its mode and tells how many there were', () => {
    const of = (subject: TrySubject) => {
      const { row_index, subject: taken } = commandToTry('log', {}, subject, now);
      return [row_index, taken.rows, taken.total_rows];
    };
    expect(of(ofRows({ rowIndex: 1 }))).toEqual([1, [rows[1]], 2]);
    expect(of(ofRows({ mode: 'first', rowIndex: 1 }))).toEqual([0, [rows[0]], 2]);
    expect(of(ofRows({ mode: 'all' }))).toEqual(['all', rows, 2]);
  });
});

describe('texts', () => {
  it('C26: flat keys, nested keys, and what no scope has', () => {
    expect(text('{{source.ip}} {{asset.name}} {{asset.nix}}', ofRows())).toMatchObject({
      path: '/template',
      rendered: '10.0.0.1 web ',
      missing: ['asset.nix'],
      warnings: ['/template: {{asset.nix}} has no value and was left empty'],
    });
  });

  it('a row outranks the job, which outranks the system; a system name below a plain field is found', () => {
    const globalParams = { user: 'nobody', site: 'Berlin', mode: 'of the job' };
    expect(
      text('{{user}} {{site}} {{mode}} {{rule}} {{rule.name}}', ofRows({ rowIndex: 1, globalParams })),
    ).toMatchObject({
      rendered: 'bob Berlin of the job of the row preview',
      missing: [],
    });
  });

  it('lists in mode all, with the row first and the system last', () => {
    const template =
      '{{#rows}}{{user}}@{{source.ip}};{{/rows}} {{row_count}}/{{total_rows}} {{mode}} {{sent_at}}';
    expect(text(template, ofRows({ mode: 'all' }))?.rendered).toBe(
      'alice@10.0.0.1;bob@10.0.0.2; 2/2 all 2026-04-28T12:00:00.000Z',
    );
  });

  it('C31: local parameters outrank the row for all but themselves', () => {
    const params = {
      local_params: { user: '{{user}}!', n: 3 },
      list: ['none', '{{user}} {{n}}'],
      'a/b~': '{{user}}',
    };
    expect(tried(params, ofRows()).map(({ path, rendered }) => [path, rendered])).toEqual([
      ['/local_params/user', 'alice!'],
      ['/list/1', 'alice! 3'],
      ['/a~1b~0', 'alice!'],
    ]);
  });

  it('one that cannot be rendered says why and leaves the others alone', () => {
    const deep = `${'{{#rows}}'.repeat(3)}x${'{{/rows}}'.repeat(3)}`;
    const many = Array.from({ length: 900 }, () => ({ user: 'u' }));
    expect(
      tried({ a: '{{#open}}', b: deep, c: '{{user}}' }, ofRows({ rows: many, mode: 'all' })),
    ).toMatchObject([
      { path: '/a', rendered: null, error: expect.stringMatching(/Unclosed section/) },
      { path: '/b', rendered: null, error: 'the template takes too many steps to render' },
      { path: '/c', rendered: 'u' },
    ]);
  });

  it('counts texts with tokens at every depth', () => {
    const body = (count: number) => ({
      body: { list: Array.from({ length: count }, () => '{{a}}'), plain: 'x' },
    });
    expect([tooManyTexts(body(tryTexts)), tooManyTexts(body(tryTexts + 1))]).toEqual([false, true]);
  });
});

describe('stand-ins', () => {
  it.each(['http', 'smtp', 'database', 'syslog', 'script-host'] as const)('%s fits its schema', (type) => {
    for (const { config } of standInConnections(type)) {
      expect(config.type).toBe(type);
      expect(checkDocument('connection.json', config)).toEqual([]);
    }
  });

  it('replace every secret that a connection names', () => {
    const { config } = standInConnections('smtp')[0]!;
    const secrets = { password: { env: 'SMTP_PASSWORD' }, other: { file: '/etc/passwd' } };
    const { secrets: resolved } = withStandIns({ ...config, secrets });
    expect(Object.values(resolved).map((value) => value.reveal())).toEqual(['redacted', 'redacted']);
  });
});
