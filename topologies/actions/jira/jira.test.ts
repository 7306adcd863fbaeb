// The requests of the Jira action against what Atlassian documents, and its contract.
import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import { contractNow } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { contract } from '../contract.ts';
import { jira } from './execute.ts';
import { check, cloud, created, data, dataCenter, send } from './fixtures/send.ts';

const folder = new URL('./', import.meta.url);
const mark = 'tocsin0123456789abcdef0123456789abcdef';

describe('cloud', () =>
  contract(jira, {
    folder,
    params: { project: 'SEC', summary: 'Host {{host}}' },
    missing: { project: 'SEC', summary: 'Host {{nowhere.to_be_found}}' },
    connection: cloud,
    secrets: ['password'],
    accepted: created.body,
  }));
describe('data center', () =>
  contract(jira, {
    folder,
    params: { project: 'SEC', description: 'Host {{host}}' },
    missing: { project: 'SEC', description: 'Host {{nowhere.to_be_found}}' },
    connection: dataCenter,
    secrets: ['token'],
    accepted: created.body,
  }));

describe('jira: create', () => {
  const params = {
    project: 'ED',
    issue_type: 'Bug',
    summary: 'Main order flow broken',
    description: 'Order entry fails when selecting supplier.',
    priority: '20000',
    assignee: '5b109f2e9729b51b54dc274d',
    labels: ['bugfix', 'blitz_test'],
    fields: {
      customfield_60000: 'jira-software-users',
      duedate: '2019-03-11',
      components: [{ id: '10000' }],
    },
  };

  it('is the request that the REST v3 documentation shows', async () => {
    const { request, body, outcome } = await send(params);
    expect(request?.method).toBe('POST');
    expect(request?.url).toBe('https://your-domain.atlassian.net/rest/api/3/issue');
    expect(Object.fromEntries(request?.headers ?? [])).toEqual({
      accept: 'application/json',
      'content-type': 'application/json',
      'user-agent': 'tocsin',
      authorization: `Basic ${Buffer.from('fred@example.com:freds_api_token').toString('base64')}`,
    });
    expect(body).toEqual({
      fields: {
        project: { key: 'ED' },
        issuetype: { name: 'Bug' },
        summary: 'Main order flow broken',
        description: {
          type: 'doc',
          version: 1,
          content: [
            {
              type: 'paragraph',
              content: [{ type: 'text', text: 'Order entry fails when selecting supplier.' }],
            },
          ],
        },
        priority: { id: '20000' },
        assignee: { accountId: '5b109f2e9729b51b54dc274d' },
        labels: ['bugfix', 'blitz_test', mark],
        customfield_60000: 'jira-software-users',
        duedate: '2019-03-11',
        components: [{ id: '10000' }],
      },
    });
    expect(outcome).toEqual({
      status: 'done',
      ref: 'ED-24',
      output: {
        operation: 'create',
        created: true,
        key: 'ED-24',
        id: '10000',
        url: 'https://your-domain.atlassian.net/browse/ED-24',
      },
    });
  });

  it('is REST v2 with wiki text and user names below a path in Data Center', async () => {
    const { request, body, outcome } = await send(
      { ...params, assignee: 'fred', priority: 'High' },
      eventCommand(),
      {
        connection: dataCenter,
      },
    );
    expect(request?.url).toBe('https://jira.example.com/jira/rest/api/2/issue');
    expect(request?.headers).toContainEqual(['authorization', 'Bearer a-personal-access-token']);
    expect(body.fields).toMatchObject({
      description: 'Order entry fails when selecting supplier.',
      assignee: { name: 'fred' },
      priority: { name: 'High' },
    });
    expect(outcome).toMatchObject({ output: { url: 'https://jira.example.com/jira/browse/ED-24' } });
  });

  it('takes only hosts below atlassian.net for Cloud, unless it is told', async () => {
    for (const [host, api, path] of [
      ['acme.atlassian.net', undefined, '/rest/api/3/issue'],
      ['evil.atlassian.net.attacker.io', undefined, '/rest/api/2/issue'],
      ['evilatlassian.net', undefined, '/rest/api/2/issue'],
      ['jira.example.com', 'cloud', '/rest/api/3/issue'],
      ['acme.atlassian.net', 'data-center', '/rest/api/2/issue'],
    ] as const) {
      const connection = { ...cloud, config: { ...cloud.config, host } };
      const { request } = await send(api === undefined ? {} : { api }, eventCommand(), { connection });
      expect(request?.url).toBe(`https://${host}${path}`);
    }
  });

  it('writes the issue by itself: a finding, and rows as a table', async () => {
    const one = (await send({})).body.fields;
    expect(one.summary).toBe('[CRITICAL] SQL Injection in /api/login');
    expect(one.issuetype).toEqual({ name: 'Task' });
    expect(JSON.stringify(one.description)).toContain('User input is passed directly to SQL query');
    expect(one.description.content[0].type).toBe('bulletList');
    const rows = rowsCommand([
      { host: 'a.example', user: 'x' },
      { host: 'b.example', user: 'y' },
    ]);
    const set = (await send({}, rows)).body.fields;
    expect(set.summary).toBe('Failed logins');
    const block = set.description.content.find(({ type }: { type: string }) => type === 'codeBlock');
    expect(block.content[0].text).toContain('b.example');
  });

  it('keeps lines, labels and texts within what Jira takes', async () => {
    const command = data({
      title: `a\r\nb${'x'.repeat(300)}`,
      tag: ' two  words\n',
      long: 'y'.repeat(60_000),
    });
    const { body, outcome } = await send(
      { summary: '{{title}}', description: '{{long}}', labels: ['{{tag}}', 'two-words', '{{none}}'] },
      command,
    );
    expect(body.fields.summary).toMatch(/^a bx+…$/);
    expect(body.fields.summary).toHaveLength(255);
    expect(body.fields.labels).toEqual(['two-words', mark]);
    expect(body.fields.description.content[0].content[0].text).toHaveLength(32_767);
    expect(outcome).toMatchObject({
      warnings: [
        'description: cut at 32767 characters',
        'summary: cut at 255 characters',
        'labels/2: {{none}} has no value and was left empty',
      ],
    });
    const wiki = await send({ description: '{{data.stars}}' }, data({ stars: '*{'.repeat(15_000) }), {
      connection: dataCenter,
    });
    expect(wiki.body.fields.description.length).toBeGreaterThan(32_000);
    expect(wiki.body.fields.description.length).toBeLessThanOrEqual(32_767);
  });

  it('keeps numbers and lists of fields, and makes text of objects', async () => {
    const fields = {
      customfield_1: '{{cvss}}',
      customfield_2: '{{tags}}',
      customfield_3: '{{doc}}',
      customfield_4: ['{{doc}}'],
    };
    const doc = { type: 'doc', version: 1, content: [{ type: 'mention', attrs: { id: 'victim' } }] };
    const { body } = await send({ fields }, data({ cvss: 9.8, tags: ['a', 'b'], doc }));
    expect(body.fields).toMatchObject({
      customfield_1: 9.8,
      customfield_2: ['a', 'b'],
      customfield_3: JSON.stringify(doc),
      customfield_4: [JSON.stringify(doc)],
    });
  });

  it('refuses a project that a value turned into something else', async () => {
    for (const project of ['SEC" OR project = "HR', 'SEC/../x', '', 'sec ops']) {
      const { outcome, requests } = await send({ project: '{{data.p}}' }, data({ p: project }));
      expect(outcome).toMatchObject({ status: 'failed', code: 'template', retry: 'never' });
      expect(requests).toHaveLength(0);
    }
  });
});

describe('jira: other operations', () => {
  const issue = {
    status: 200,
    body: '{"id":"10002","key":"ED-1","fields":{"status":{"name":"To Do","statusCategory":{"key":"new"}}}}',
  };
  const run = async (
    params: Record<string, unknown>,
    answers: Parameters<typeof send>[2] extends infer _ ? unknown[] : never,
  ) => {
    const { requests, outcome } = await send({ project: undefined, ref: 'ED-1', ...params }, eventCommand(), {
      answers: [issue, ...(answers as (typeof issue)[])],
    });
    return {
      outcome,
      requests: requests.map(({ method, url, body }) => ({
        request: `${method} ${url.replace('https://your-domain.atlassian.net/rest/api/3', '')}`,
        ...(body === undefined ? {} : { body: JSON.parse(body.toString()) }),
      })),
    };
  };

  it('updates fields and adds labels', async () => {
    const { requests, outcome } = await run(
      { operation: 'update', priority: 'Highest', labels: ['triaged'], fields: { customfield_10010: 1 } },
      [204],
    );
    expect(requests).toEqual([
      { request: 'GET /issue/ED-1?fields=status' },
      {
        request: 'PUT /issue/10002',
        body: {
          fields: { priority: { name: 'Highest' }, customfield_10010: 1 },
          update: { labels: [{ add: 'triaged' }] },
        },
      },
    ]);
    expect(outcome).toMatchObject({
      status: 'done',
      ref: 'ED-1',
      output: { created: false, operation: 'update' },
    });
  });

  it('comments with the command as a property', async () => {
    const { requests } = await run({ operation: 'comment', comment: 'Still *{{data.title}}*' }, [201]);
    expect(requests[1]).toEqual({
      request: 'POST /issue/10002/comment',
      body: {
        body: {
          type: 'doc',
          version: 1,
          content: [
            {
              type: 'paragraph',
              content: [
                { type: 'text', text: 'Still ' },
                { type: 'text', text: 'SQL Injection in /api/login', marks: [{ type: 'em' }] },
              ],
            },
          ],
        },
        properties: [{ key: 'tocsin', value: { command_id: '0123456789abcdef0123456789abcdef' } }],
      },
    });
  });

  const transitions = {
    status: 200,
    body: '{"transitions":[{"id":"2","name":"Close Issue","to":{"name":"Closed"}},{"id":"711","name":"QA Review","to":{"name":"In Review"}}]}',
  };

  it.each([
    ['711', '711'],
    ['qa review', '711'],
    ['Closed', '2'],
  ])('moves by id, name or status: %s', async (transition, id) => {
    const { requests } = await run({ operation: 'transition', transition }, [transitions, 204]);
    expect(requests.slice(1)).toEqual([
      { request: 'GET /issue/10002/transitions' },
      { request: 'POST /issue/10002/transitions', body: { transition: { id } } },
    ]);
  });

  it('names the transitions that there are when the wanted one is not among them', async () => {
    const { outcome } = await run({ operation: 'transition', transition: 'Deploy' }, [transitions, issue]);
    expect(outcome).toMatchObject({
      code: 'wrong_state',
      retry: 'never',
      detail: 'ED-1 is in status To Do and has no transition Deploy; it has Close Issue, QA Review',
    });
  });

  it('fails with its reason when the step that was to make the issue left no key', async () => {
    for (const ref of ['{{steps.ticket.outputs.key}}', 'SEC-{{steps.ticket.outputs.number}}']) {
      const { outcome, requests } = await send({
        project: undefined,
        operation: 'comment',
        ref,
        comment: 'x',
      });
      expect(outcome).toMatchObject({
        code: 'missing_ref',
        retry: 'never',
        detail: expect.stringContaining('{{steps.ticket.outputs.'),
      });
      expect(requests).toHaveLength(0);
    }
    for (const key of ['../../admin', 'SEC-1/comment', 'SEC-1?x', 'SEC-1 OR 1=1']) {
      const { outcome, requests } = await send(
        { project: undefined, operation: 'comment', ref: '{{data.k}}', comment: 'x' },
        data({ k: key }),
      );
      expect(outcome).toMatchObject({ code: 'missing_ref', retry: 'never' });
      expect(requests).toHaveLength(0);
    }
  });
});

describe('jira: parameters', () => {
  it.each([
    [{}, '/project is required for create'],
    [{ project: 'sec ops' }, '/project must be the key or the id of a project'],
    [{ project: 'SEC', ref: 'SEC-1' }, '/ref cannot be set for create'],
    [{ project: 'SEC', fields: { labels: [] } }, '/fields/labels has a parameter of its own: labels'],
    [{ project: 'SEC', summary: '{{#a}}' }, expect.stringContaining('/summary')],
    [
      { project: 'SEC', dedupe: { key: 'k', on_found: 'update', comment: 'x' } },
      '/dedupe/comment needs on_found comment',
    ],
    [{ operation: 'comment', ref: 'SEC-1' }, '/comment is required for comment'],
    [{ operation: 'update', ref: 'SEC-1' }, expect.stringContaining(' update needs one of summary')],
    [{ operation: 'transition', ref: 'SEC-1' }, '/transition is required for transition'],
    [{ operation: 'transition', transition: 'Done' }, '/ref is required for transition'],
    [
      { operation: 'comment', ref: 'SEC-1', comment: 'x', priority: 'High' },
      '/priority cannot be set for comment; use update',
    ],
    [{ operation: 'update', ref: 'SEC-1', comment: 'x', project: 'SEC' }, '/project is for create only'],
  ])('%j', (params, message) => {
    expect(check(params)).toContainEqual(message);
  });

  it('needs a credential of Jira', () => {
    expect(jira.checkConnection?.({}, { ...cloud.config, auth: { type: 'none' } } as never)).toHaveLength(1);
    expect(jira.checkConnection?.({}, cloud.config)).toEqual([]);
    expect(checkParams(jira, { project: '{{data.project}}' })).toEqual([]);
  });

  it('shows its first requests without the credential', () => {
    const command = { ...eventCommand(), params: { project: 'SEC', dedupe: { key: 'k' } } };
    const shown = jira.preview?.(command, { connection: cloud, now: contractNow });
    expect(shown).toMatchObject({
      output: {
        requests: [
          {
            method: 'GET',
            url: expect.stringContaining('/rest/api/3/search/jql?jql=project%20%3D%20%22SEC%22%20AND'),
          },
          {
            method: 'POST',
            body: { fields: { labels: [mark, expect.stringMatching(/^tocsinfp[0-9a-f]{32}$/)] } },
          },
        ],
      },
    });
    expect(JSON.stringify(shown)).not.toContain('authorization');
  });
});
