// JSON Schema of Block Kit's blocks in messages (docs.slack.dev/reference/block-kit, @slack/types 3.2.0). Fields that only
// matter to apps that listen for clicks are checked for their kind, not for their content.
import type { JsonSchema } from '@tocsin/schemas/codecs/validate.ts';

const string = (maxLength: number, minLength = 1) => ({ type: 'string', minLength, maxLength });
const address = { type: 'string', maxLength: 3000, pattern: '^(https?://|mailto:)' };
const object = (properties: Record<string, unknown>, required: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  required: ['type', ...required],
  properties: { type: { type: 'string' }, ...properties },
});
const text = (types: readonly string[], maxLength: number) => ({
  type: 'object',
  additionalProperties: false,
  required: ['type', 'text'],
  properties: {
    type: { enum: types },
    text: string(maxLength),
    emoji: { type: 'boolean' },
    verbatim: { type: 'boolean' },
  },
});
const plain = (maxLength: number) => text(['plain_text'], maxLength);
const any = (maxLength: number) => text(['plain_text', 'mrkdwn'], maxLength);
const list = (items: unknown, minItems: number, maxItems: number) => ({
  type: 'array',
  items,
  minItems,
  maxItems,
});
const block = (properties: Record<string, unknown>, required: readonly string[] = []) =>
  object({ block_id: string(255), ...properties }, required);
/** One of several shapes, told apart by `type`, so that an error is about the shape that was meant. */
const byType = (shapes: Readonly<Record<string, unknown>>) => ({
  type: 'object',
  required: ['type'],
  properties: { type: { enum: Object.keys(shapes) } },
  allOf: Object.entries(shapes).map(([name, shape]) => ({
    if: { properties: { type: { const: name } } },
    then: shape,
  })),
});

const file = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  properties: { id: string(255), url: address },
};
const image = { image_url: address, slack_file: file, alt_text: string(2000) };
const source = { anyOf: [{ required: ['image_url'] }, { required: ['slack_file'] }] };
const imageElement = { ...object(image, ['alt_text']), ...source };
const button = object(
  {
    text: plain(75),
    action_id: string(255),
    url: address,
    value: string(2000),
    style: { enum: ['primary', 'danger'] },
    confirm: { type: 'object' },
    accessibility_label: string(75),
  },
  ['text'],
);
const option = { type: 'object', required: ['text'] };
const clickable = (extra: Record<string, unknown> = {}) => ({
  type: 'object',
  properties: { action_id: string(255), ...extra },
});
const selects = Object.fromEntries(
  ['static', 'users', 'conversations', 'channels', 'external'].flatMap((kind) =>
    [`${kind}_select`, `multi_${kind}_select`].map((type) => [
      type,
      clickable({ placeholder: plain(150), options: list(option, 1, 100) }),
    ]),
  ),
);
const elements = {
  button,
  overflow: clickable({ options: list(option, 1, 5) }),
  checkboxes: clickable({ options: list(option, 1, 10) }),
  radio_buttons: clickable({ options: list(option, 1, 10) }),
  datepicker: clickable(),
  datetimepicker: clickable(),
  timepicker: clickable(),
  workflow_button: clickable({ text: plain(75) }),
  ...selects,
};

const style = { type: 'object', additionalProperties: { type: 'boolean' } };
const richInline = byType({
  text: object({ text: string(3000), style }, ['text']),
  link: object({ url: address, text: string(3000), unsafe: { type: 'boolean' }, style }, ['url']),
  emoji: object({ name: string(255), unicode: string(255), style }, ['name']),
  user: object({ user_id: string(64), style }, ['user_id']),
  usergroup: object({ usergroup_id: string(64), style }, ['usergroup_id']),
  channel: object({ channel_id: string(64), style }, ['channel_id']),
  team: object({ team_id: string(64), style }, ['team_id']),
  broadcast: object({ range: { enum: ['here', 'channel', 'everyone'] }, style }, ['range']),
  color: object({ value: string(16), style }, ['value']),
  date: object(
    { timestamp: { type: 'integer' }, format: string(255), url: address, fallback: string(255), style },
    ['timestamp', 'format'],
  ),
});
const inlines = {
  elements: { type: 'array', items: richInline },
  border: { type: 'integer', minimum: 0, maximum: 1 },
};
const richSection = object(inlines, ['elements']);
const richText = block(
  {
    elements: {
      type: 'array',
      items: byType({
        rich_text_section: richSection,
        rich_text_quote: richSection,
        rich_text_preformatted: object({ ...inlines, language: string(64) }, ['elements']),
        rich_text_list: object(
          {
            style: { enum: ['bullet', 'ordered'] },
            elements: { type: 'array', items: richSection },
            indent: { type: 'integer', minimum: 0, maximum: 8 },
            offset: { type: 'integer', minimum: 0 },
            border: inlines.border,
          },
          ['style', 'elements'],
        ),
      }),
    },
  },
  ['elements'],
);
const cell = byType({ raw_text: object({ text: string(3000) }, ['text']), rich_text: richText });
const card = block({
  hero_image: imageElement,
  icon: imageElement,
  title: text(['mrkdwn'], 150),
  subtitle: text(['mrkdwn'], 150),
  body: text(['mrkdwn'], 200),
  actions: list(button, 1, 5),
});

/** Blocks of one message. */
export const blockSchema: JsonSchema = list(
  byType({
    actions: block({ elements: list(byType(elements), 1, 25) }, ['elements']),
    alert: block({ text: any(3000), level: { enum: ['default', 'info', 'warning', 'error', 'success'] } }, [
      'text',
    ]),
    card,
    carousel: block({ elements: list(card, 1, 10) }, ['elements']),
    context: block(
      {
        elements: list(
          byType({ image: imageElement, plain_text: plain(3000), mrkdwn: text(['mrkdwn'], 3000) }),
          1,
          10,
        ),
      },
      ['elements'],
    ),
    divider: block({}),
    header: block({ text: plain(150) }, ['text']),
    image: { ...block({ ...image, title: plain(2000) }, ['alt_text']), ...source },
    markdown: block({ text: string(12_000) }, ['text']),
    rich_text: richText,
    section: {
      ...block({
        text: any(3000),
        fields: list(any(2000), 1, 10),
        accessory: byType({ image: imageElement, ...elements }),
        expand: { type: 'boolean' },
      }),
      anyOf: [{ required: ['text'] }, { required: ['fields'] }],
    },
    table: block(
      {
        rows: list(list(cell, 1, 20), 1, 100),
        column_settings: { type: 'array', maxItems: 20, items: { type: ['object', 'null'] } },
      },
      ['rows'],
    ),
    video: block(
      {
        alt_text: string(2000),
        author_name: string(49),
        description: plain(200),
        provider_icon_url: address,
        provider_name: string(255),
        title: plain(199),
        title_url: address,
        thumbnail_url: address,
        video_url: address,
      },
      ['alt_text', 'title', 'thumbnail_url', 'video_url'],
    ),
  }),
  1,
  50,
) as JsonSchema;
