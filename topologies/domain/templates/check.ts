// Problems of template texts as issues, for the checks that action types make at save.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Escape } from './escape.ts';
import { checkHtmlPlaces } from './html-context.ts';
import { checkMrkdwnPlaces } from './mrkdwn-context.ts';
import { parseTemplate, type Template, TemplateError, type TemplateNode } from './parse.ts';
import { allowsRaw } from './render.ts';

/** Why `text` cannot be a template for output of this kind; undefined (no text) is fine. */
export function checkTemplate(text: unknown, kind: Escape, path: string): Issue[] {
  if (typeof text !== 'string') return [];
  try {
    const template = parseTemplate(text, { raw: allowsRaw(kind) });
    if (kind === 'html') checkHtmlPlaces(template);
    if (kind === 'mrkdwn') checkMrkdwnPlaces(template);
    return [];
  } catch (error) {
    if (error instanceof TemplateError) return [{ path, message: error.message }];
    throw error;
  }
}

/** The same template with its literal text changed, tags untouched. */
export function mapText(template: Template, change: (text: string) => string): Template {
  const map = (nodes: readonly TemplateNode[]): TemplateNode[] =>
    nodes.map((node) => {
      if (node.kind === 'text') return { kind: 'text', text: change(node.text) };
      return node.kind === 'section' ? { ...node, nodes: map(node.nodes) } : node;
    });
  return { nodes: map(template.nodes) };
}

/** The literal text of a template, tags and section borders left out. */
export function literalText(template: Template): string {
  return template.nodes
    .map((node) => (node.kind === 'text' ? node.text : node.kind === 'section' ? literalText(node) : ''))
    .join('');
}
