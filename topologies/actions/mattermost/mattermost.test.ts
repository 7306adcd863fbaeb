import { describe, expect, it } from 'vitest';
import { contractNow } from '../../testing/action-fakes.ts';
import { eventCommand, rowsCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { contract } from '../contract.ts';
import { mattermost } from './execute.ts';
import { bot, channel, check, created, data, hook, send, sendAsBot } from './fixtures/send.ts';

const folder = new URL('./', import.meta.url);

describe('over a webhook', () =>
  contract(mattermost, {
    folder,
    params: { text: 'Host {{host}}' },
    missing: { text: 'Host {{nowhere.to_be_found}}' },
    connection: hook,
    secrets: ['secret_path'],
    accepted: 'ok',
  }));
describe('with a bot token', () =>
  contract(mattermost, {
    folder,
    params: { channel, text: 'Host {{host}}' },
    missing: { channel, text: 'Host {{nowhere.to_be_found}}' },
    connection: bot,
    secrets: ['token'],
    accepted: created.body,
  }));

describe('mattermost: post', () => {
  it('is the documented request of a webhook', async () => {
    // developers.mattermost.com/integrate/webhooks/incoming: POST /hooks/xxx-generatedkey-xxx
    const text = 'Hello, this is some text\nThis is more text. 🎉';
    const { request, body } = await send({ text });
    expect(request).toMatchObject({
      method: 'POST',
      url: 'https://your-mattermost-server.com/hooks/xxx-generatedkey-xxx',
    });
    expect(body).toEqual({ text, props: { tocsin_command_id: '0123456789abcdef0123456789abcdef' } });
  });

  it('has the documented parameters of a webhook', async () => {
    // developers.mattermost.com/integrate/webhooks/incoming: "Parameters", and the example with a priority
    const params = {
      channel: 'town-square',
      username: 'test-automation',
      icon_url: 'https://mattermost.com/wp-content/uploads/2022/02/icon.png',
      icon_emoji: ':white_check_mark:',
      text: '#### Test results for July 27th, 2017',
      props: { card: 'Salient: {{data.severity}}', score: '{{data.cvss}}' },
      priority: { level: 'important', requested_ack: true, persistent: false },
    };
    expect((await send(params)).body).toEqual({
      channel: 'town-square',
      username: 'test-automation',
      icon_url: 'https://mattermost.com/wp-content/uploads/2022/02/icon.png',
      icon_emoji: ':white_check_mark:',
      text: '#### Test results for July 27th, 2017',
      props: { card: 'Salient: critical', score: 9.8, tocsin_command_id: '0123456789abcdef0123456789abcdef' },
      priority: { priority: 'important', requested_ack: true, persistent_notifications: false },
    });
  });

  it('is the documented post of the API, with the command id as its pending id', async () => {
    // developers.mattermost.com/api-documentation: POST /api/v4/posts {channel_id, message, root_id, props, metadata.priority}
    const { request, body, outcome } = await sendAsBot({
      text: 'Hello',
      root_id: 'oj3sutkygir7zqmr4dqcz6rr4o',
    });
    expect(request?.url).toBe('https://your-mattermost-server.com/api/v4/posts');
    expect(request?.headers).toContainEqual(['authorization', 'Bearer not-a-real-token']);
    expect(body).toEqual({
      channel_id: channel,
      message: 'Hello',
      root_id: 'oj3sutkygir7zqmr4dqcz6rr4o',
      pending_post_id: '0123456789abcdef0123456789abcdef',
      props: { tocsin_command_id: '0123456789abcdef0123456789abcdef' },
    });
    expect(outcome).toEqual({
      status: 'done',
      ref: 'oj3sutkygir7zqmr4dqcz6rr4o',
      output: { status_code: 201, post_id: 'oj3sutkygir7zqmr4dqcz6rr4o' },
    });
    const urgent = await sendAsBot({ text: 'x', priority: { level: 'urgent', persistent: true } });
    expect(urgent.body.metadata).toEqual({
      priority: { priority: 'urgent', persistent_notifications: true },
    });
    expect((await sendAsBot({ text: 'x', priority: { level: 'standard' } })).body.metadata).toEqual({
      priority: { priority: '' },
    });
  });

  it('is the finding, when nothing else is said', async () => {
    const { body } = await send({ link: 'https://app.example.com/f/{{data.finding_id}}?a=(1)&b' });
    expect(body.text).toBe(
      [
        '**\\[CRITICAL\\] SQL Injection in /api/login**',
        'Severity: critical',
        'Asset: api.example.com',
        'CVSS: 9.8',
        'Event: finding.new',
        'Rule: Critical findings',
        '[Open](https://app.example.com/f/f-91827?a=%281%29&amp;b)',
      ].join('\n'),
    );
  });

  it('is a table of at most max_rows rows, which no value leaves', async () => {
    const rows = [{ host: 'a', note: '```\n@all <!channel>' }, { host: 'b' }, { host: 'c' }];
    const { body } = await send({ max_rows: 1 }, rowsCommand(rows));
    expect(body.text).toBe(
      [
        '**Failed logins**',
        '3 results',
        '```',
        'host  note',
        '----  -------------------',
        'a     ˋˋˋ @\u200ball <\u200b!channel>',
        '```',
        'and 2 more',
      ].join('\n'),
    );
  });

  it('mentions whom the author mentions, and nobody whom a value names', async () => {
    const t = `${hostileTexts.atCalls} ${hostileTexts.slackCalls}`;
    const { body } = await send({ text: '@channel @soc {{data.t}}' }, data({ t }));
    expect(body.text).toMatch(/^@channel @soc /);
    expect(body.text.slice(15)).not.toMatch(/(?<![\w.])@\w|<[!@]/);
    // The server rewrites Slack's calls before it reads the Markdown, so no `<` of a value may be left.
    expect(body.text).not.toContain('<');
  });

  it('escapes the Markdown of values', async () => {
    const of = async (t: string) => (await send({ text: 'x {{data.t}}' }, data({ t }))).body.text;
    expect(await of(hostileTexts.markup)).toBe(
      'x \\*b\\* \\_i\\_ \\~s\\~ \\`c\\` \\`\\`\\`f\\`\\`\\` \\*\\*B\\*\\* \\# h\n&gt; q\n\\- l\n1\\. n\n\\| a \\| b \\|\n\\[login\\](https://evil.example) !\\[x\\](https://evil.example/x.png)',
    );
    expect(await of('a\n    code\n---\n- \n-5 9.8 +1')).toBe('x a\n code\n\\---\n\\- \n-5 9.8 +1');
    expect(await of(hostileTexts.controls)).toBe('x ab\\[2Jcd\ne');
    expect(await of(hostileTexts.bidi)).toBe('x invoicefdp.exex');
    expect(await of('https://x.example/@all?a=_b_')).toBe('x https://x.example/%40all?a=_b_');
    expect(check({ text: '{{{x}}}' })).toEqual(['/text']);
  });

  it('is cut at 16,383 characters, not inside an escape', async () => {
    const { body, outcome } = await send({ text: '{{data.t}}' }, data({ t: '*'.repeat(100_000) }));
    expect(body.text.length).toBeLessThanOrEqual(16_383);
    expect(body.text).toMatch(/^(\\\*)+…$/);
    expect(outcome).toMatchObject({ warnings: ['text: cut at 16383 characters'] });
  });

  it('falls back to the default text and to a new message', async () => {
    const { body, outcome } = await sendAsBot({ text: '{{data.none}}', root_id: '{{data.none}}' });
    expect(body.message).toContain('SQL Injection');
    expect(body).not.toHaveProperty('root_id');
    expect(outcome).toMatchObject({
      warnings: [
        'root_id: {{data.none}} has no value and was left empty',
        'root_id: is no id of a post; posted as a new message',
        'text: {{data.none}} has no value and was left empty',
      ],
    });
  });
});

describe('mattermost: parameters', () => {
  it('fit the kind of connection', async () => {
    const fails = async (sent: ReturnType<typeof send>, path: string) =>
      expect((await sent).outcome).toMatchObject({
        code: 'invalid_params',
        detail: expect.stringContaining(path),
      });
    await fails(send({ root_id: 'x' }), '/root_id');
    await fails(send({ channel: 'Town Square' }), '/channel');
    await fails(sendAsBot({ channel: 'town-square' }), '/channel');
    await fails(sendAsBot({ channel: undefined }), '/channel');
    await fails(sendAsBot({ username: 'x' }), '/username');
    for (const name of ['town-square', '#town-square', '@bob'])
      expect((await send({ channel: name })).body.channel).toBe(name);
  });

  it('take no channel that a value makes bad', async () => {
    for (const [sent, t] of [
      [send, 'a b'],
      [send, ''],
      [sendAsBot, 'town-square'],
    ] as const)
      expect((await sent({ channel: '{{data.t}}' }, data({ t }))).outcome).toMatchObject({
        code: 'template',
      });
  });

  it('are refused where the server or the post would not take them', () => {
    expect(check({ props: { from_webhook: 'false', card: 'x' } })).toEqual(['/props/from_webhook']);
    expect(check({ props: { override_username: 'x' } })).toEqual(['/props/override_username']);
    expect(check({ props: { a: '{{#b}}' } })).toEqual(['/props/a']);
    expect(check({ priority: { level: 'important', persistent: true } })).toEqual(['/priority/persistent']);
    expect(check({ priority: { level: 'urgent' }, root_id: 'x' })).toEqual(['/priority']);
    expect(check({ icon_url: 'javascript:alert(1)' })).toEqual(['/icon_url']);
  });

  it('have attachments of the documented form, escaped leaf by leaf', async () => {
    // developers.mattermost.com/integrate/reference/message-attachments: "Example message attachment"
    const attachment = {
      fallback: 'test',
      color: '#FF8000',
      pretext: 'This is optional pretext that shows above the attachment.',
      text: 'This is the text of the attachment. It should appear just above an image of the Mattermost logo.',
      author_name: 'Mattermost',
      author_icon: 'https://mattermost.com/wp-content/uploads/2022/02/icon_WS.png',
      author_link: 'https://mattermost.org/',
      title: 'Example Attachment',
      title_link: 'https://developers.mattermost.com/integrate/reference/message-attachments/',
      fields: [
        {
          short: false,
          title: 'Long Field',
          value: 'Testing with a very long piece of text that will take up the whole width of the table.',
        },
        { short: true, title: 'Column One', value: 'Testing' },
      ],
      image_url: 'https://mattermost.com/wp-content/uploads/2022/02/icon_WS.png',
    };
    expect(check({ attachments: [attachment] })).toEqual([]);
    expect((await send({ attachments: [attachment] })).body.attachments).toEqual([attachment]);
    expect((await sendAsBot({ attachments: [attachment] })).body.props.attachments).toEqual([attachment]);
    const own = [
      {
        title: '{{data.t}}',
        footer: '{{data.t}}',
        title_link: 'https://x.example/{{data.n}}',
        text: '{{data.none}}',
      },
    ];
    const { body, outcome } = await send({ attachments: own }, data({ t: '*x* @all', n: 5 }));
    expect(body.attachments).toEqual([
      { title: '\\*x\\* @\u200ball', footer: '*x* @\u200ball', title_link: 'https://x.example/5', text: '-' },
    ]);
    expect(outcome).toMatchObject({
      warnings: ['attachments: {{data.none}} has no value and was left empty'],
    });
  });

  it('have no attachments of another form', async () => {
    for (const [attachment, path] of [
      [{}, '/attachments/0'],
      [{ text: 'x', actions: [] }, '/attachments/0/actions'],
      [{ color: 'red' }, '/attachments/0/color'],
      [{ color: '{{data.c}}' }, '/attachments/0/color'],
      [{ image_url: 'javascript:x' }, '/attachments/0/image_url'],
      [{ fields: [{ title: 'x' }] }, '/attachments/0/fields/0/value'],
      [{ text: '{{#a}}' }, '/attachments/0/text'],
    ] as const)
      expect(check({ attachments: [attachment] }), JSON.stringify(attachment)).toEqual([path]);
    const { outcome } = await send(
      { attachments: [{ title_link: '{{data.u}}' }] },
      data({ u: 'javascript:x' }),
    );
    expect(outcome).toMatchObject({ code: 'invalid_body', retry: 'never' });
  });
});

describe('mattermost: preview', () => {
  it('shows the post without the secret path or the token', () => {
    const command = { ...eventCommand(), params: { text: 'x {{data.severity}}' } };
    const shown = mattermost.preview?.(command, { connection: hook, now: contractNow });
    expect(shown).toMatchObject({
      output: { url: 'https://your-mattermost-server.com/[secret]', body: { text: 'x critical' } },
    });
    expect(JSON.stringify(shown)).not.toContain('generatedkey');
    const byBot = { ...command, params: { ...command.params, channel } };
    expect(JSON.stringify(mattermost.preview?.(byBot, { connection: bot, now: contractNow }))).not.toContain(
      'not-a-real-token',
    );
  });
});
