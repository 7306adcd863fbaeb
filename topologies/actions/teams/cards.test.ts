// Cards of the author's own, and what the answers to them mean.
import { describe, expect, it } from 'vitest';
import { eventCommand } from '../../testing/fixtures.ts';
import { card, check, contentOf, data, send } from './fixtures/send.ts';

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
