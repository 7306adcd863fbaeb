// Block Kit trees: what Slack takes passes, what it refuses is refused before it is sent, and no value leaves its text.
import { describe, expect, it } from 'vitest';
import { eventCommand } from '../../testing/fixtures.ts';
import { hostileTexts } from '../../testing/hostile-texts.ts';
import { checkBlocks } from './block-kit.ts';
import { check, data, send } from './fixtures/send.ts';

const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text } });
const refused = (block: object): string[] => checkBlocks([block], '').map(({ path }) => path);

// The examples of docs.slack.dev/reference/block-kit/blocks.
const documented = [
  {
    type: 'actions',
    block_id: 'actionblock789',
    elements: [
      {
        type: 'datepicker',
        action_id: 'datepicker123',
        initial_date: '1990-04-28',
        placeholder: { type: 'plain_text', text: 'Select a date' },
      },
      {
        type: 'overflow',
        options: [
          { text: { type: 'plain_text', text: '*plain_text option 0*' }, value: 'value-0' },
          { text: { type: 'plain_text', text: '*plain_text option 1*' }, value: 'value-1' },
        ],
        action_id: 'overflow',
      },
      {
        type: 'button',
        text: { type: 'plain_text', text: 'Click Me' },
        value: 'click_me_123',
        action_id: 'button',
      },
    ],
  },
  {
    type: 'context',
    elements: [
      {
        type: 'image',
        image_url: 'https://image.freepik.com/free-photo/red-drawing-pin_1156-445.jpg',
        alt_text: 'images',
      },
      { type: 'mrkdwn', text: 'Location: **Dogpatch**' },
    ],
  },
  { type: 'divider' },
  { type: 'header', text: { type: 'plain_text', text: 'A Heartfelt Header' } },
  {
    type: 'image',
    title: { type: 'plain_text', text: 'Please enjoy this photo of a kitten' },
    block_id: 'image4',
    image_url: 'http://placekitten.com/500/500',
    alt_text: 'An incredibly cute kitten.',
  },
  { type: 'markdown', text: '**Lots of information here!!**' },
  {
    type: 'rich_text',
    block_id: 'rt',
    elements: [
      {
        type: 'rich_text_section',
        elements: [
          { type: 'text', text: 'Hello there, I am a bold rich text block!', style: { bold: true } },
          { type: 'emoji', name: 'wave' },
          { type: 'link', url: 'https://slack.com' },
          { type: 'user', user_id: 'U123ABC456' },
        ],
      },
      {
        type: 'rich_text_list',
        style: 'ordered',
        indent: 0,
        elements: [{ type: 'rich_text_section', elements: [{ type: 'text', text: 'Rover' }] }],
      },
      { type: 'rich_text_preformatted', border: 0, elements: [{ type: 'text', text: 'x = 1' }] },
    ],
  },
  {
    type: 'section',
    text: { text: 'A message *with some bold text* and _some italicized text_.', type: 'mrkdwn' },
    fields: [
      { type: 'mrkdwn', text: '*Priority*' },
      { type: 'mrkdwn', text: '*Type*' },
      { type: 'plain_text', text: 'High' },
      { type: 'plain_text', text: 'Silly' },
    ],
  },
  {
    type: 'table',
    column_settings: [{ is_wrapped: true }, { align: 'right' }],
    rows: [
      [
        { type: 'raw_text', text: 'Header A' },
        { type: 'raw_text', text: 'Header B' },
      ],
      [
        { type: 'raw_text', text: 'Data 1A' },
        {
          type: 'rich_text',
          elements: [
            {
              type: 'rich_text_section',
              elements: [{ text: 'Data 1B', type: 'link', url: 'https://slack.com' }],
            },
          ],
        },
      ],
    ],
  },
  {
    type: 'video',
    title: { type: 'plain_text', text: 'How to use Slack.', emoji: true },
    title_url: 'https://www.youtube.com/watch?v=RRxQQxiM7AA',
    description: { type: 'plain_text', text: 'Slack is a new way to communicate with your team.' },
    video_url: 'https://www.youtube.com/embed/RRxQQxiM7AA?feature=oembed&autoplay=1',
    alt_text: 'How to use Slack?',
    thumbnail_url: 'https://i.ytimg.com/vi/RRxQQxiM7AA/hqdefault.jpg',
    author_name: 'Arcado Buendia',
    provider_name: 'YouTube',
    provider_icon_url: 'https://a.slack-edge.com/80588/img/unfurl_icons/youtube.png',
  },
];

describe('slack: blocks', () => {
  it.each(documented.map((block) => [block.type, block]))('takes the documented %s', async (_, block) => {
    expect(checkBlocks([block], '')).toEqual([]);
    expect(check({ blocks: [block] })).toEqual([]);
    expect((await send({ blocks: [block] })).body.blocks).toEqual([block]);
  });

  it('refuses what is beyond a limit, and names it', () => {
    const text = (length: number, type = 'plain_text') => ({ type, text: 'x'.repeat(length) });
    for (const [block, path] of [
      [section('x'.repeat(3001)), '/0/text/text'],
      [section(''), '/0/text/text'],
      [{ type: 'section', fields: Array.from({ length: 11 }, () => text(1)) }, '/0/fields'],
      [{ type: 'section', fields: [text(2001)] }, '/0/fields/0/text'],
      [{ type: 'header', text: text(151) }, '/0/text/text'],
      [{ type: 'header', text: text(1, 'mrkdwn') }, '/0/text/type'],
      [{ type: 'context', elements: Array.from({ length: 11 }, () => text(1)) }, '/0/elements'],
      [
        { type: 'actions', elements: Array.from({ length: 26 }, () => ({ type: 'button', text: text(1) })) },
        '/0/elements',
      ],
      [{ type: 'actions', elements: [{ type: 'button', text: text(76) }] }, '/0/elements/0/text/text'],
      [
        { type: 'actions', elements: [{ type: 'button', text: text(1), style: 'red' }] },
        '/0/elements/0/style',
      ],
      [
        { type: 'actions', elements: [{ type: 'button', text: text(1), url: 'javascript:x' }] },
        '/0/elements/0/url',
      ],
      [{ type: 'image', image_url: 'https://x/y.png', alt_text: 'x'.repeat(2001) }, '/0/alt_text'],
      [{ type: 'image', alt_text: 'x' }, '/0/image_url'],
      [{ type: 'markdown', text: 'x'.repeat(12_001) }, '/0/text'],
      [
        { type: 'table', rows: Array.from({ length: 101 }, () => [{ type: 'raw_text', text: 'x' }]) },
        '/0/rows',
      ],
      [{ type: 'divider', block_id: 'x'.repeat(256) }, '/0/block_id'],
      [{ type: 'divider', text: 'x' }, '/0/text'],
      [{ type: 'modal' }, '/0/type'],
      [{}, '/0/type'],
    ] as const)
      expect(refused(block)[0], JSON.stringify(block).slice(0, 60)).toBe(path);
    const dividers = (count: number) => Array.from({ length: count }, () => ({ type: 'divider' }));
    expect(checkBlocks(dividers(50), '')).toEqual([]);
    expect(checkBlocks(dividers(51), '/b')).toMatchObject([{ path: '/b' }]);
    expect(check({ blocks: dividers(51) })).toEqual(['/blocks']);
    const twice = (block: object) => checkBlocks([block, block], '/b').map(({ message }) => message);
    expect(twice({ type: 'markdown', text: 'x'.repeat(6001) })[0]).toContain('12000');
    expect(twice({ type: 'table', rows: [[{ type: 'raw_text', text: 'x' }]] })[0]).toContain('table');
    expect(twice({ type: 'divider', block_id: 'a' })[0]).toContain('block_id');
  });

  it('refuses a bad tree when it is saved, and tags where they could choose a type or a person', () => {
    expect(check({ blocks: [{ type: 'section' }] })).toEqual(['/blocks/0/text', '/blocks/0/fields']);
    expect(check({ blocks: [section('{{a}} <!{{b}}>')] })).toEqual(['/blocks/0/text/text']);
    expect(check({ blocks: [section('{{#a}}')] })).toEqual(['/blocks/0/text/text']);
    expect(check({ blocks: [{ type: '{{t}}' }] })).toEqual(['/blocks/0/type']);
    for (const element of [
      { type: 'user', user_id: '{{u}}' },
      { type: 'broadcast', range: '{{r}}' },
      { type: 'usergroup', usergroup_id: '{{g}}' },
    ])
      expect(
        check({
          blocks: [{ type: 'rich_text', elements: [{ type: 'rich_text_section', elements: [element] }] }],
        }),
      ).toEqual([expect.stringMatching(/_id$|range$/)]);
  });

  it('escapes values for the place of their leaf', async () => {
    const t = '<!channel> *x* & @here';
    const blocks = [
      section('{{data.t}}'),
      { type: 'markdown', text: '{{data.t}}' },
      {
        type: 'rich_text',
        elements: [{ type: 'rich_text_section', elements: [{ type: 'text', text: '{{data.t}}' }] }],
      },
      { type: 'image', image_url: 'https://x.example/?q={{data.q}}&b=1', alt_text: '{{data.t}}' },
    ];
    const { body } = await send({ blocks }, data({ t, q: 5 }));
    expect(body.blocks[0].text.text).toBe('&lt;!channel&gt; *x* &amp; @\u200bhere');
    expect(body.blocks[1].text).toBe('&lt;!channel&gt; \\*x\\* &amp; @\u200bhere');
    const shown = '<\u200b!channel> *x* & @\u200bhere';
    expect(body.blocks[2].elements[0].elements[0].text).toBe(shown);
    expect(body.blocks[3]).toEqual({
      type: 'image',
      image_url: 'https://x.example/?q=5&b=1',
      alt_text: shown,
    });
  });

  it('turns values into text, whatever they are, and fills an empty one', async () => {
    const blocks = [section('{{data.cvss}}'), section('{{data.asset}}'), section('{{data.none}}')];
    const { body, outcome } = await send({ blocks });
    expect(body.blocks.map((block: { text: { text: string } }) => block.text.text)).toEqual([
      '9.8',
      '{"id":"a-1001","name":"api.example.com","type":"domain"}',
      '-',
    ]);
    expect(outcome).toMatchObject({ warnings: ['blocks: {{data.none}} has no value and was left empty'] });
  });

  it('cuts texts that are too long because of their values', async () => {
    const blocks = [
      section('{{data.t}}'),
      { type: 'section', fields: [{ type: 'mrkdwn', text: '{{data.t}}' }] },
      { type: 'header', text: { type: 'plain_text', text: '{{data.t}}' } },
      {
        type: 'actions',
        elements: [
          { type: 'button', text: { type: 'plain_text', text: '{{data.t}}' }, url: 'https://x.example' },
        ],
      },
    ];
    const { body, outcome } = await send({ blocks }, data({ t: hostileTexts.long }));
    expect(body.blocks[0].text.text).toHaveLength(3000);
    expect(body.blocks[1].fields[0].text).toHaveLength(2000);
    expect(body.blocks[2].text.text).toHaveLength(150);
    expect(body.blocks[3].elements[0].text.text).toHaveLength(75);
    expect(outcome).toMatchObject({
      status: 'done',
      warnings: expect.arrayContaining([
        'blocks: text: cut at 3000 characters',
        'blocks: text: cut at 150 characters',
      ]),
    });
  });

  it('does not send a tree that a value made bad', async () => {
    const button = { type: 'button', text: { type: 'plain_text', text: 'Open' }, url: '{{data.url}}' };
    for (const url of ['javascript:alert(1)', 'data:text/html,x', ''])
      expect(
        (await send({ blocks: [{ type: 'actions', elements: [button] }] }, data({ url }))).outcome,
      ).toMatchObject({
        status: 'failed',
        code: 'invalid_body',
        retry: 'never',
        detail: expect.stringContaining('/blocks/0/elements/0/url'),
      });
    const { outcome, requests } = await send({ blocks: [{ type: 'actions', elements: [button] }] });
    expect(outcome).toMatchObject({ detail: expect.stringContaining('{{data.url}} has no value') });
    expect(requests).toEqual([]);
  });

  it('keeps every shape of a tree whatever the values are', async () => {
    for (const t of Object.values(hostileTexts)) {
      const { body } = await send({ blocks: [section('a {{data.t}} b')] }, data({ t }));
      expect(checkBlocks(body.blocks, '')).toEqual([]);
      expect(body.blocks[0].text.text).not.toMatch(
        /<|(?<![\w.])@\w|[\u202a-\u202e\u2066-\u2069]|[^\P{Cc}\t\n]/u,
      );
    }
  });

  it('has the default text for notifications beside the blocks', async () => {
    const { body } = await send({ blocks: [section('x')] }, eventCommand());
    expect(body.text).toContain('[CRITICAL] SQL Injection');
  });
});
