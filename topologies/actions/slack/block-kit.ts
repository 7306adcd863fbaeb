// The shapes and limits of Block Kit for messages, as JSON Schema, and how the texts of a block tree are rendered.
//
// Invariant: a tree that passes here is not refused by Slack for its shape, its number of blocks or the length of a text.
// Surprise: elements that people click need an app that listens; of them only the link (button with url) does something here.
// Sources: docs.slack.dev/reference/block-kit and the package @slack/types 3.2.0.
import { compileCheck, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Json } from '../../domain/action/outcome.ts';
import {
  checkJsonTemplate,
  type LeafRule,
  type LeafRules,
  sampleJson,
} from '../../domain/templates/json-template.ts';
import { blockSchema } from './block-schema.ts';

export const blocksMax = 50;
/** Of all markdown blocks of a message together. */
export const markdownMax = 12_000;

const checkShape = compileCheck(blockSchema);

/** Problems of a rendered tree, as JSON Pointers below `path`. */
export function checkBlocks(blocks: unknown, path: string): Issue[] {
  const issues = checkShape(blocks).map((issue) => ({ ...issue, path: `${path}${issue.path}` }));
  if (issues.length > 0) return issues;
  const list = blocks as readonly {
    readonly type: string;
    readonly text?: unknown;
    readonly block_id?: string;
  }[];
  const markdown = list.reduce(
    (sum, { type, text }) => sum + (type === 'markdown' ? String(text).length : 0),
    0,
  );
  if (markdown > markdownMax)
    return [{ path, message: `has more than ${markdownMax} characters of markdown` }];
  if (list.filter(({ type }) => type === 'table').length > 1)
    return [{ path, message: 'has more than one table' }];
  const ids = list.flatMap(({ block_id }) => (block_id === undefined ? [] : [block_id]));
  return new Set(ids).size < ids.length ? [{ path, message: 'has the same block_id twice' }] : [];
}

/** Problems of a tree of templates, before anything is rendered: its tags, and its shape where nothing is to be filled in. */
export function checkBlockTemplates(blocks: Json, path: string): Issue[] {
  const issues = checkJsonTemplate(blocks, path, blockRules);
  return issues.length > 0 ? issues : checkBlocks(sampleJson(blocks, isAddress), path);
}

const addresses: ReadonlySet<string> = new Set([
  'url',
  'image_url',
  'title_url',
  'thumbnail_url',
  'provider_icon_url',
  'video_url',
]);
const isAddress = (key: string): boolean => addresses.has(key);

/** Texts that Slack shows as they are, with their limits. */
const plainTexts: Readonly<Record<string, number>> = {
  alt_text: 2000,
  value: 2000,
  accessibility_label: 75,
  author_name: 49,
  provider_name: 255,
  caption: 2000,
};

/** How the leaves of a block tree are rendered; only texts and addresses may have tokens, so that no value picks a type or a person. */
export const blockRules: LeafRules = (trail, key) => {
  const parent = trail.at(-1) as { readonly type?: unknown };
  if (isAddress(key)) return { escape: 'none', maxLength: 3000 };
  if (key === 'text') return textRule(parent.type, trail);
  const plain = Object.hasOwn(plainTexts, key) ? plainTexts[key] : undefined;
  return plain === undefined ? 'literal' : { escape: 'chat', maxLength: plain, empty: '-' };
};

function textRule(type: unknown, trail: readonly unknown[]): LeafRule {
  if (type === 'markdown') return { escape: 'markdown', maxLength: markdownMax, empty: '-' };
  // In rich text and table cells nothing is markup.
  if (type !== 'mrkdwn' && type !== 'plain_text') return { escape: 'chat', maxLength: 3000, empty: '-' };
  return { escape: 'mrkdwn', maxLength: textMax(trail), empty: '-' };
}

function textMax(trail: readonly unknown[]): number {
  const around = trail.at(-2) as { readonly type?: unknown };
  if (Array.isArray(around)) {
    const block = trail.at(-3) as { readonly fields?: unknown };
    return block.fields === around ? 2000 : 3000;
  }
  if (around.type === 'header') return 150;
  if (around.type === 'button') return 75;
  if (around.type === 'card') return 150;
  return around.type === 'image' || around.type === 'video' ? 199 : 3000;
}
