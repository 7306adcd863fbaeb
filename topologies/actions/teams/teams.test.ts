import { describe, expect, it } from 'vitest';
import { contractNow } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { contract } from '../contract.ts';
import { checkCard } from './card-schema.ts';
import { teams } from './execute.ts';
import { card, check, contentOf, data, host, path, send, workflow } from './fixtures/send.ts';

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
