// Atlassian Document Format, the rich text of Jira Cloud: a tree in which a text can only ever be text.
// Source: developer.atlassian.com/cloud/jira/platform/apis/document/structure
import type { Json } from '../../domain/action/outcome.ts';
import { type Block, type Line, parseRichText, type Span } from '../../domain/formats/rich-text.ts';

export interface AdfDocument {
  readonly [key: string]: Json;
  readonly type: 'doc';
  readonly version: 1;
  readonly content: readonly Json[];
}

export function adfOf(text: string): AdfDocument {
  return { type: 'doc', version: 1, content: parseRichText(text).map(block) };
}

function block(given: Block): Json {
  if (given.kind === 'heading')
    return { type: 'heading', attrs: { level: given.level }, content: given.line.map(span) };
  if (given.kind === 'code')
    return {
      type: 'codeBlock',
      ...(given.language === null ? {} : { attrs: { language: given.language } }),
      // A text of nothing is not valid.
      content: given.text === '' ? [] : [{ type: 'text', text: given.text }],
    };
  if (given.kind === 'list')
    return {
      type: given.ordered ? 'orderedList' : 'bulletList',
      content: given.items.map((item) => ({ type: 'listItem', content: [paragraph([item])] })),
    };
  return paragraph(given.lines);
}

function paragraph(lines: readonly Line[]): Json {
  const content: Json[] = [];
  for (const [index, line] of lines.entries()) {
    if (index > 0) content.push({ type: 'hardBreak' });
    content.push(...line.map(span));
  }
  return { type: 'paragraph', content };
}

// Code goes with a link, but with no other mark.
function span({ text, strong, em, code, href }: Span): Json {
  const marks: Json[] = [];
  if (code === true) marks.push({ type: 'code' });
  if (strong === true && code !== true) marks.push({ type: 'strong' });
  if (em === true && code !== true) marks.push({ type: 'em' });
  if (href !== undefined) marks.push({ type: 'link', attrs: { href } });
  return { type: 'text', text, ...(marks.length === 0 ? {} : { marks }) };
}
