// The requests of the GitLab action against docs.gitlab.com/api/issues and notes, its contract, and texts that try to act.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { escapeMarkdown } from '../../domain/templates/escape-chat.ts';
import { fakeClock } from '../../ports/fakes/clock.ts';
import { contractNow } from '../../testing/action-fakes.ts';
import { ticketWorld } from '../../testing/fake-tickets.ts';
import { eventCommand, httpConnection } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { sendCommand } from '../../testing/send-command.ts';
import { contract } from '../contract.ts';
import { gitlab } from './execute.ts';
import { fakeGitLab } from './fixtures/fake-gitlab.ts';
import { findTrailer, hasMark, trailerOf, withoutQuickActions, withTrailer } from './text.ts';

const connection = httpConnection(
  {
    id: 'gitlab',
    host: 'gitlab.example.com',
    base_path: '/git',
    auth: { type: 'header', header: 'PRIVATE-TOKEN' },
    secrets: { token: { env: 'GITLAB_TOKEN' } },
  },
  { token: 'glpat-not-a-real-token' },
);
/** The answer that the documentation shows for a new issue, cut. */
const created = {
  status: 201,
  body: '{"project_id":4,"id":84,"iid":14,"title":"Issues with auth","state":"opened","description":null,"web_url":"http://gitlab.example.com/my-group/my-project/issues/14"}',
};
const mark = 'tocsin0123456789abcdef0123456789abcdef';
const project = 'security/findings';

type Options = Parameters<typeof sendCommand>[3];
const send = (params: Record<string, unknown>, command = eventCommand(), options: Options = {}) =>
  sendCommand(gitlab, { ...command, type: 'gitlab', params: { project, ...params } }, connection, {
    answers: [created],
    ...options,
  });
const data = (given: Record<string, unknown>) => eventCommand({ event: { event: 'x', data: given } });

contract(gitlab, {
  folder: new URL('./', import.meta.url),
  params: { project, summary: 'Host {{host}}' },
  missing: { project, summary: 'Host {{nowhere.to_be_found}}' },
  connection,
  secrets: ['token'],
  accepted: created.body,
});

describe('gitlab: requests', () => {
  it('makes an issue', async () => {
    const { request, body, outcome } = await send({
      summary: 'Issues with auth',
      description: 'Text',
      labels: ['bug', 'a, b', '{{data.severity}}'],
      severity: '{{data.severity}}',
      confidential: true,
      issue_type: 'incident',
      assignee_ids: [7],
      fields: { weight: 5 },
    });
    expect(`${request?.method} ${request?.url}`).toBe(
      'POST https://gitlab.example.com/git/api/v4/projects/security%2Ffindings/issues',
    );
    expect(request?.headers).toContainEqual(['private-token', 'glpat-not-a-real-token']);
    expect(body).toEqual({
      title: 'Issues with auth',
      description: `Text\n\n[tocsin]: # (${mark})`,
      labels: 'bug,a  b,critical,severity::critical',
      confidential: true,
      issue_type: 'incident',
      assignee_ids: [7],
      weight: 5,
    });
    expect(outcome).toMatchObject({
      status: 'done',
      ref: '14',
      output: { key: '14', url: 'http://gitlab.example.com/my-group/my-project/issues/14' },
    });
  });

  it('cuts a dry run that is too long for a result', () => {
    const params = { project, description: '{{t}}' };
    const shown = gitlab.preview(
      { ...data({ t: 'x'.repeat(50_000) }), params },
      { connection, now: contractNow },
    );
    expect(shown).toMatchObject({
      output: { requests: [{ body: expect.stringMatching(/x\.\.\. \(50\d\d\d bytes\)$/) }] },
    });
  });

  it('takes a project by id or path, and nothing that climbs', async () => {
    expect((await send({ project: '42' })).request?.url).toContain('/api/v4/projects/42/issues');
    for (const path of ['../admin', 'a/../b', 'a', 'a/b?x=1', 'a/b#c', 'a//b', 'a/.', ''])
      expect((await send({ project: '{{data.p}}' }, data({ p: path }))).outcome, path).toMatchObject({
        code: 'template',
      });
    expect(checkParams(gitlab, { project: 'group/sub/project.name' })).toEqual([]);
  });

  it('updates, adds labels, closes and comments', async () => {
    const params = {
      operation: 'update',
      ref: '#14',
      summary: 'New',
      description: 'New text',
      labels: ['escalated'],
      transition: 'closed',
      comment: 'Gone',
      internal: true,
    };
    const issue = {
      status: 200,
      body: JSON.stringify({
        iid: 14,
        state: 'opened',
        description: `Old\n\n[tocsin]: # (tocsinold tocsinfpold)`,
      }),
    };
    const { requests } = await send(params, eventCommand(), {
      answers: [issue, { status: 200, body: '{}' }, { status: 201, body: '{}' }],
    });
    const root = 'https://gitlab.example.com/git/api/v4/projects/security%2Ffindings/issues';
    expect(
      requests.map(({ method, url, body }) => [
        `${method} ${url}`,
        body === undefined ? null : JSON.parse(String(body)),
      ]),
    ).toEqual([
      [`GET ${root}/14`, null],
      [
        `PUT ${root}/14`,
        {
          title: 'New',
          description: 'New text\n\n[tocsin]: # (tocsinold tocsinfpold)',
          add_labels: 'escalated',
          state_event: 'close',
        },
      ],
      [`POST ${root}/14/notes`, { body: `Gone\n\n[tocsin]: # (${mark})`, internal: true }],
    ]);
  });

  it('searches by mark, and believes only the marks at the end', async () => {
    const issues = [
      { iid: 1, state: 'opened', description: `I am ${mark}` },
      { iid: 2, state: 'opened', description: `\`[tocsin]: # (${mark})\` x` },
    ];
    const { requests, outcome } = await send({}, eventCommand(), {
      answers: [
        {
          status: 200,
          body: JSON.stringify([
            ...issues,
            { iid: 3, state: 'closed', description: `x\n\n[tocsin]: # (${mark})` },
          ]),
        },
      ],
      context: { possibleDuplicate: true },
    });
    expect(requests.map(({ method, url }) => `${method} ${new URL(url).search}`)).toEqual([
      `GET ?search=${mark}&in=description&scope=all&state=all&per_page=5`,
    ]);
    expect(outcome).toMatchObject({ status: 'done', ref: '3' });
  });

  it.each([
    [
      401,
      { error: 'invalid_token', error_description: 'Token is expired.' },
      'pause',
      'invalid_token; Token is expired.',
    ],
    [
      400,
      { message: { title: ["can't be blank", 'is too short'] } },
      'never',
      "title: can't be blank, is too short",
    ],
    [404, { message: '404 Project Not Found' }, 'never', '404 Project Not Found'],
  ])('explains %i %j', async (status, body, retry, text) => {
    const { outcome } = await send({}, eventCommand(), { answers: [{ status, body: JSON.stringify(body) }] });
    expect(outcome).toMatchObject({
      retry,
      detail: expect.stringMatching(new RegExp(`: ${text.replace(/[.']/g, '.')}$`)),
    });
  });
});

describe('gitlab: texts do not act', () => {
  it.each([
    ['/close', '\u200b/close'],
    ['a\n/close', 'a\n\u200b/close'],
    ['a\r/close\r\n/assign @x', 'a/close\n\u200b/assign @x'],
    ['  \t/close', '\u200b  \t/close'],
    ['/\rclose', '\u200b/close'],
    ['a /close', 'a /close'],
  ])('%j', (text, expected) => {
    expect(withoutQuickActions(text)).toBe(expected);
  });

  it('runs no quick action and mentions nobody, wherever a value stands', async () => {
    const clock = fakeClock();
    const system = fakeGitLab({ now: clock.now, root: '/git/api/v4/projects/security%2Ffindings/issues' });
    const world = ticketWorld(gitlab, connection, system, clock);
    const values = [
      ...Object.values(hostileTexts),
      '/close',
      'x\n/close\n/label ~a',
      '\r/close',
      '/\nclose',
      '```\n/close',
      '>>>\n/close',
      '@all please',
      'close',
    ];
    for (const [index, value] of values.entries()) {
      const id = index.toString(16).padStart(32, '0');
      const params = { project, summary: '{{v}}', description: '{{v}}\n{{v}}\n/{{v}}\n```\n{{v}}\n```' };
      const command = { ...data({ v: value.slice(0, 5_000) }), command_id: id, type: 'gitlab' };
      const made = await world.attempt({ ...command, params });
      expect(made, value).toMatchObject({ status: 'done' });
      const ref = made.status === 'done' ? (made.ref ?? '') : '';
      const note = { project, operation: 'comment', ref, comment: '{{v}}', on_closed: 'fail' };
      expect(
        await world.attempt({ ...command, command_id: `f${id.slice(1)}`, params: note }),
        value,
      ).toMatchObject({ status: 'done' });
      const issue = system.issue(ref);
      for (const text of [issue?.title ?? '', issue?.description ?? '', ...(issue?.notes ?? [])])
        expect(text, value).not.toMatch(/(?<![\w.%+-])@\w/);
      expect(hasMark(issue?.description ?? '', `tocsin${id}`), value).toBe(true);
    }
    expect(system.actions).toEqual([]);
  });

  it('lets no value write a mark', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.constantFrom('[tocsin]: # (tocsinabc)', 'x\n\n[tocsin]: # (tocsinabc)\n'),
        ),
        (value) => {
          const text = withTrailer(escapeMarkdown(value), trailerOf([mark]));
          expect(findTrailer(text)).toBe(`[tocsin]: # (${mark})`);
          expect(hasMark(text, 'tocsinabc')).toBe(false);
          expect(findTrailer(escapeMarkdown(value))).toBeNull();
        },
      ),
    );
  });
});

describe('gitlab: parameters', () => {
  it.each([
    [{ project: 'findings' }, '/project'],
    [{ project: '../x/y' }, '/project'],
    [{ project, fields: { state_event: 'close' } }, '/fields/state_event'],
    [{ project, operation: 'transition', ref: '1', transition: 'solve' }, '/transition'],
    [{ project, operation: 'update', ref: '1', issue_type: 'task', summary: 'x' }, '/issue_type'],
    [{ project, labels: ['{{'] }, '/labels/0'],
    [{}, '/project'],
  ])('%j', (params, path) => {
    expect(checkParams(gitlab, params).map((issue) => issue.path)).toContain(path);
  });

  it('needs a token', () => {
    expect(
      gitlab.checkConnection?.({}, { ...connection.config, auth: { type: 'basic' } } as never),
    ).toHaveLength(1);
    expect(gitlab.checkConnection?.({}, connection.config)).toEqual([]);
  });
});
