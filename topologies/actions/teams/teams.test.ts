import { describe, expect, it } from 'vitest';
import { checkParams } from '../../domain/action/check-params.ts';
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { eventCommand, httpConnection, rowsCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { sendCommand } from '../../testing/send-command.ts';
import { contract, contractNow } from '../contract.ts';
import { checkCard } from './card-schema.ts';
import { teams } from './execute.ts';

const host = 'prod-00.westeurope.logic.azure.com';
const path =
  '/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=not-a-real-signature';
const workflow: ResolvedConnection = httpConnection(
  { id: 'teams', host, secrets: { secret_path: { env: 'TEAMS_PATH' } } },
  { secret_path: `https://${host}:443${path}` },
);

const send = (
  params: Record<string, unknown>,
  command = eventCommand(),
  options: Parameters<typeof sendCommand>[3] = {},
) => sendCommand(teams, { ...command, type: 'teams', params }, workflow, { answers: [202], ...options });
const check = (params: Record<string, unknown>): string[] =>
  checkParams(teams, params).map((issue) => issue.path);
const data = (fields: Record<string, unknown>) => eventCommand({ event: { event: 'x', data: fields } });
const card = (body: unknown[], over: object = {}) => ({
  type: 'AdaptiveCard',
  version: '1.4',
  body,
  ...over,
});
const contentOf = (sent: { body: { attachments: { content: never }[] } }) =>
  sent.body.attachments[0]?.content as unknown as { body: Record<string, never>[]; actions?: unknown };

contract(teams, {
  folder: new URL('./', import.meta.url),
  params: { text: 'Host {{host}}' },
  missing: { text: 'Host {{nowhere.to_be_found}}' },
  connection: workflow,
  secrets: ['secret_path'],
});

describe('teams: message', () => {
  it('is the documented envelope around the card, at the address of the workflow', async () => {
    // learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using, "Send Adaptive Cards"
    const own = {
      $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
      type: 'AdaptiveCard',
      version: '1.2',
      body: [
        {
          type: 'TextBlock',
          text: 'For Samples and Templates, see [https://adaptivecards.io/samples](https://adaptivecards.io/samples)',
        },
      ],
    };
    const { request, body } = await send({ card: own });
    expect(body).toEqual({
      type: 'message',
      attachments: [
        { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: own },
      ],
    });
    expect(request).toMatchObject({ method: 'POST', url: `https://${host}${path}` });
    expect(request?.headers).toContainEqual(['webhook-id', '0123456789abcdef0123456789abcdef']);
  });

  it('is the finding, when nothing else is said', async () => {
    const content = contentOf(await send({ link: 'https://app.example.com/f/{{data.finding_id}}' }));
    expect(content).toEqual({
      $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
      type: 'AdaptiveCard',
      version: '1.5',
      body: [
        {
          type: 'TextBlock',
          text: '\\[CRITICAL\\] SQL Injection in /api/login',
          size: 'Medium',
          weight: 'Bolder',
          wrap: true,
          color: 'Attention',
        },
        {
          type: 'FactSet',
          facts: [
            { title: 'Severity', value: 'critical' },
            { title: 'Asset', value: 'api.example.com' },
            { title: 'CVSS', value: '9.8' },
            { title: 'Event', value: 'finding.new' },
            { title: 'Rule', value: 'Critical findings' },
          ],
        },
      ],
      actions: [{ type: 'Action.OpenUrl', title: 'Open', url: 'https://app.example.com/f/f-91827' }],
    });
    expect(checkCard(content, '')).toEqual([]);
  });

  it('has title, text and facts of the author', async () => {
    const params = {
      title: '**{{data.title}}**',
      text: 'See {{data.none}}',
      facts: [{ title: 'A_b', value: '{{data.asset.name}}' }],
    };
    const sent = await send(params);
    expect(contentOf(sent).body).toMatchObject([
      { text: '**SQL Injection in /api/login**' },
      { text: 'See ' },
      { facts: [{ title: 'A_b', value: 'api.example.com' }] },
    ]);
    expect(sent.outcome).toMatchObject({ warnings: ['text: {{data.none}} has no value and was left empty'] });
  });

  it('is a table of at most max_rows rows, and says how many more', async () => {
    const rows = Array.from({ length: 12 }, (_, index) => ({ host: `h${index}`, n: index, empty: null }));
    const content = contentOf(await send({ max_rows: 2 }, rowsCommand(rows)));
    expect(checkCard(content, '')).toEqual([]);
    const [title, count, table, more] = content.body as unknown as [
      { text: string },
      { text: string },
      { rows: { cells: { items: { text: string }[] }[] }[] },
      { text: string },
    ];
    expect([title.text, count.text, more.text]).toEqual(['Failed logins', '12 results', 'and 10 more']);
    expect(table.rows.map(({ cells }) => cells.map(({ items }) => items[0]?.text))).toEqual([
      ['host', 'n', 'empty'],
      ['h0', '0', '-'],
      ['h1', '1', '-'],
    ]);
  });

  it('gives up rows, not the message, when a table is too large', async () => {
    const rows = Array.from({ length: 100 }, () =>
      Object.fromEntries(Array.from({ length: 6 }, (_, n) => [`f${n}`, '\u4e16'.repeat(200)])),
    );
    const sent = await send({ max_rows: 100 }, rowsCommand(rows));
    expect(sent.outcome.status).toBe('done');
    expect(Buffer.byteLength(sent.request?.body as string)).toBeLessThanOrEqual(28 * 1024);
    expect(sent.request?.body).toMatch(/and \d\d more/);
  });

  it('is not sent above 28 KB', async () => {
    const block = (size: number) => ({ type: 'TextBlock', text: 'x'.repeat(size) });
    const two = (size: number) => send({ card: card([block(14_000), block(size)]) });
    const overhead = Buffer.byteLength((await two(1)).request?.body as string) - 1;
    const largest = await two(28 * 1024 - overhead);
    expect([largest.outcome.status, largest.request?.body?.length]).toEqual(['done', 28 * 1024]);
    expect((await two(28 * 1024 - overhead + 1)).outcome).toMatchObject({
      code: 'too_large',
      retry: 'never',
    });
    expect(check({ card: card([block(16_000), block(14_000)]) })).toEqual(['/card']);
    const values = card(Array.from({ length: 6 }, () => ({ type: 'TextBlock', text: '{{data.t}}' })));
    const { outcome, requests } = await send({ card: values }, data({ t: hostileTexts.long }));
    expect(outcome).toMatchObject({ status: 'failed', code: 'too_large', retry: 'never' });
    expect(requests).toEqual([]);
    const text = await send({ text: '{{data.t}}' }, data({ t: hostileTexts.long }));
    expect(text.outcome).toMatchObject({ status: 'done', warnings: ['text: cut at 6000 characters'] });
  });

  it('mentions whom the author mentions, and nobody whom a value names', async () => {
    const msteams = {
      entities: [
        {
          type: 'mention',
          text: '<at>SOC lead</at>',
          mentioned: { id: 'soc@example.com', name: 'SOC lead' },
        },
      ],
    };
    const own = card([{ type: 'TextBlock', text: '<at>SOC lead</at> {{data.t}}' }], { msteams });
    const content = contentOf(await send({ card: own }, data({ t: hostileTexts.teamsCall })));
    expect(content).toMatchObject({ msteams });
    expect(content.body[0]?.['text']).toBe('<at>SOC lead</at> &lt;at&gt;SOC lead&lt;/at&gt;');
    const by = (over: object) =>
      check({ card: card([], { msteams: { entities: [{ ...msteams.entities[0], ...over }] } }) });
    expect(by({ text: '<at>{{data.t}}</at>' })).toEqual(['/card/msteams/entities/0/text']);
    expect(by({ mentioned: { id: '{{data.id}}', name: 'x' } })).toEqual([
      '/card/msteams/entities/0/mentioned/id',
    ]);
    expect(by({ text: 'SOC' })).toEqual(['/card/msteams/entities/0/text']);
  });

  it('escapes the Markdown of values, and leaves addresses whole', async () => {
    const of = async (t: string) =>
      contentOf(await send({ text: '{{data.t}}' }, data({ t }))).body[1]?.['text'];
    expect(await of(hostileTexts.markup)).toBe(
      '\\*b\\* \\_i\\_ \\~s\\~ \\`c\\` \\`\\`\\`f\\`\\`\\` \\*\\*B\\*\\* \\# h\n&gt; q\n\\- l\n1\\. n\n\\| a \\| b \\|\n\\[login\\](https://evil.example) !\\[x\\](https://evil.example/x.png)',
    );
    expect(await of(hostileTexts.bidi)).toBe('invoicefdp.exex');
    expect(await of(hostileTexts.controls)).toBe('ab\\[2Jcd\ne');
    expect(await of(hostileTexts.template)).toBe('{{data.secret}} {{{x}}} {{\\#y}}');
    expect(await of('https://x.example/a_b?c=(d)&e')).toBe('https://x.example/a_b?c=%28d%29&amp;e');
    expect(check({ text: '{{{x}}}' })).toEqual(['/text']);
  });
});

describe('teams: cards', () => {
  it.each([
    ['a type that does not exist', [{ type: 'TextBloc', text: 'x' }], '/card/body/0/type'],
    ['a missing text', [{ type: 'TextBlock' }], '/card/body/0/text'],
    ['an unknown field', [{ type: 'TextBlock', text: 'x', colour: 'red' }], '/card/body/0/colour'],
    ['a value outside its list', [{ type: 'TextBlock', text: 'x', size: 'Huge' }], '/card/body/0/size'],
    [
      'a fact without value',
      [{ type: 'Container', items: [{ type: 'FactSet', facts: [{ title: 'a' }] }] }],
      '/card/body/0/items/0/facts/0/value',
    ],
    ['a tag in a type', [{ type: '{{t}}' }], '/card/body/0/type'],
    ['an unclosed tag', [{ type: 'TextBlock', text: '{{#a}}' }], '/card/body/0/text'],
    ['a script', [{ type: 'Image', url: 'javascript:alert(1)' }], '/card/body/0/url'],
  ])('refuses %s when it is saved', (_, body, at) => {
    expect(check({ card: card(body) })).toEqual([at]);
  });

  it('refuses what is no card of a version that Teams shows, or a second text', () => {
    expect(check({ card: { version: '1.4' } })).toEqual(['/card/type']);
    expect(check({ card: { type: 'AdaptiveCard' } })).toEqual(['/card/version']);
    expect(check({ card: card([], { version: '1.6' }) })).toEqual(['/card/version']);
    expect(check({ card: card([]), title: 'x', max_rows: 1 })).toEqual(['/title', '/max_rows']);
    expect(check({ facts: [] })).toEqual(['/facts']);
  });

  it('does not send a card that a value made bad', async () => {
    const own = card([], { actions: [{ type: 'Action.OpenUrl', title: 'Open', url: '{{data.url}}' }] });
    expect(check({ card: own })).toEqual([]);
    const sent = (url: string) => send({ card: own }, data({ url }));
    expect((await sent('https://x.example/?a=1&b=2')).request?.body).toContain(
      '"url":"https://x.example/?a=1&b=2"',
    );
    for (const url of ['javascript:alert(1)', 'file:///etc/passwd', ''])
      expect((await sent(url)).outcome).toMatchObject({
        status: 'failed',
        code: 'invalid_body',
        detail: expect.stringContaining('/card/actions/0/url'),
      });
  });

  it('renders each leaf for its place', async () => {
    const t = '*x* <b>';
    const body = [
      { type: 'RichTextBlock', inlines: ['{{data.t}}', { type: 'TextRun', text: '{{data.t}}' }] },
      { type: 'FactSet', facts: [{ title: '{{data.t}}', value: '{{data.none}}' }] },
      { type: 'Image', url: 'https://x.example/{{data.n}}.png', altText: '{{data.t}}' },
    ];
    expect(check({ card: card(body) })).toEqual([]);
    expect(contentOf(await send({ card: card(body) }, data({ t, n: 7 }))).body).toEqual([
      { type: 'RichTextBlock', inlines: [t, { type: 'TextRun', text: t }] },
      { type: 'FactSet', facts: [{ title: '\\*x\\* &lt;b&gt;', value: '-' }] },
      { type: 'Image', url: 'https://x.example/7.png', altText: t },
    ]);
  });
});

describe('teams: answers', () => {
  const failed = 'Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error';
  it.each([
    [200, '1', 'done'],
    [200, '', 'done'],
    [202, '', 'done'],
    [200, '{"posted":true}', 'done'],
    [200, `${failed} 429 with ContextId tcid=0,server=msgapi,cv=x.0..`, 'http_429 backoff'],
    [200, `${failed} 413 with ContextId tcid=622824298674363899`, 'too_large never'],
    [200, `${failed} 400 with ContextId tcid=1`, 'http_4xx never'],
    [200, `${failed} 403 with ContextId tcid=1`, 'http_401_403 pause'],
    [200, `${failed} 502 with ContextId tcid=1`, 'http_5xx backoff'],
    [200, `${failed} 200 with ContextId tcid=1`, 'bad_response never'],
    [200, 'Summary or Text is required.', 'bad_response never'],
    [200, '<html>Sign in to your account</html>', 'bad_response never'],
    [400, 'Bad payload received by generic incoming webhook.', 'http_4xx never'],
    [401, '{"error":{"code":"DirectApiAuthorizationRequired"}}', 'http_401_403 pause'],
    [413, '', 'http_4xx never'],
    [429, '', 'http_429 backoff'],
  ])('%i %j', async (status, body, expected) => {
    const { outcome } = await send({}, eventCommand(), { answers: [{ status, body }] });
    expect(outcome.status === 'done' ? 'done' : `${outcome.code} ${outcome.retry}`).toBe(expected);
    expect(JSON.stringify(outcome)).not.toMatch(/tcid|html|Summary/);
  });

  it('waits as long as the connector says inside its 200', async () => {
    const answer = { status: 200, headers: { 'retry-after': '12' }, body: `${failed} 429 with` };
    expect((await send({}, eventCommand(), { answers: [answer] })).outcome).toMatchObject({
      retry: { afterMs: 12_000 },
    });
  });
});

describe('teams: connection and preview', () => {
  it('needs an https address of its own', async () => {
    for (const config of [
      { ...workflow.config, secrets: {} },
      { ...workflow.config, protocol: 'http', allow_insecure: true },
    ])
      expect(
        (
          await send({}, eventCommand(), {
            context: { connection: { ...workflow, config: config as never } },
          })
        ).outcome,
      ).toMatchObject({ code: 'invalid_params', retry: 'never' });
  });

  it('shows the card without the signature of the address', () => {
    const shown = teams.preview?.(
      { ...eventCommand(), params: {} },
      { connection: workflow, now: contractNow },
    );
    expect(shown).toMatchObject({
      status: 'done',
      output: { url: `https://${host}/[secret]`, body: { type: 'message' } },
    });
    expect(JSON.stringify(shown)).not.toMatch(/sig=|workflows/);
  });
});
