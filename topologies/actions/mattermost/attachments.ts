// Message attachments: their shape, and how the texts in them are rendered.
//
// Surprise: buttons and menus (`actions`) call an address back from the server, so they are not taken here.
// Source: developers.mattermost.com/integrate/reference/message-attachments.
import { compileCheck, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkJsonTemplate, type LeafRules, sampleJson } from '../../domain/templates/json-template.ts';

/** Characters of a text inside an attachment that values may fill; a post as a whole has its own limit. */
const leafMax = 7_000;

const text = { type: 'string', maxLength: 16_384 };
const address = { type: 'string', maxLength: 2048, pattern: '^https?://' };

const checkShape = compileCheck({
  type: 'array',
  minItems: 1,
  maxItems: 20,
  items: {
    type: 'object',
    additionalProperties: false,
    minProperties: 1,
    properties: {
      fallback: text,
      color: { type: 'string', pattern: '^(#[0-9A-Fa-f]{6}|good|warning|danger)$' },
      pretext: text,
      text,
      author_name: text,
      author_link: address,
      author_icon: address,
      title: text,
      title_link: address,
      fields: {
        type: 'array',
        maxItems: 50,
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['title', 'value'],
          properties: {
            title: text,
            value: { type: ['string', 'number', 'boolean'] },
            short: { type: 'boolean' },
          },
        },
      },
      image_url: address,
      thumb_url: address,
      footer: { type: 'string', maxLength: 16_384 },
      footer_icon: address,
    },
  },
});

const addresses: ReadonlySet<string> = new Set([
  'author_link',
  'author_icon',
  'title_link',
  'image_url',
  'thumb_url',
  'footer_icon',
]);
const isAddress = (key: string): boolean => addresses.has(key);
const plain: ReadonlySet<string> = new Set(['fallback', 'author_name', 'footer']);

export const attachmentRules: LeafRules = (_trail, key) => {
  if (key === 'color') return 'literal';
  if (isAddress(key)) return { escape: 'none', maxLength: 2048 };
  return { escape: plain.has(key) ? 'chat' : 'markdown', maxLength: leafMax, empty: '-' };
};

/** Problems of rendered attachments, as JSON Pointers below `path`. */
export function checkAttachments(attachments: unknown, path: string): Issue[] {
  return checkShape(attachments).map((issue) => ({ ...issue, path: `${path}${issue.path}` }));
}

/** Problems of attachments whose texts are templates. */
export function checkAttachmentTemplates(attachments: Json, path: string): Issue[] {
  const issues = checkJsonTemplate(attachments, path, attachmentRules);
  return issues.length > 0 ? issues : checkAttachments(sampleJson(attachments, isAddress), path);
}
