// JSON bodies as trees whose string leaves are templates, so that no value can reach outside its own leaf.
//
// A leaf that is exactly one variable tag keeps the type of its value (number, list, object); when the name is missing
// it becomes null. Keys are never templates. Where a receiver reads leaves as markup, rules say how each is escaped.

import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Json } from '../action/outcome.ts';
import { checkTemplate } from './check.ts';
import type { Escape } from './escape.ts';
import { cutText } from './escape-chat.ts';
import { lookup, type Views } from './lookup.ts';
import { parseTemplate, TemplateError, templateLimits } from './parse.ts';
import { type Rendered, render, renderText } from './render.ts';

const limits = { depth: 20, nodes: 2_000 } as const;

export interface RenderedJson {
  readonly value: Json;
  readonly missing: readonly string[];
  readonly warnings: readonly string[];
}

/** How one leaf is rendered: always to text, escaped for its place. */
export interface LeafRule {
  readonly escape: Escape;
  /** UTF-16 units the receiver takes; a leaf with tokens is cut to it. */
  readonly maxLength?: number;
  /** Stands in when the leaf renders to nothing. */
  readonly empty?: string;
}

/**
 * The rule of the leaf under `key` (an index for items of a list); `trail` holds the objects and lists around it, outermost
 * first. 'literal': no tokens there. null: as without rules.
 */
export type LeafRules = (trail: readonly unknown[], key: string) => LeafRule | 'literal' | null;

/** Problems of a JSON tree template; `path` is the JSON Pointer of the tree itself within its document. */
export function checkJsonTemplate(tree: unknown, path: string, rules?: LeafRules): Issue[] {
  const issues: Issue[] = [];
  let nodes = 0;
  const trail: unknown[] = [];
  const leaf = (text: string, at: string, key: string): void => {
    const rule = rules?.(trail, key) ?? null;
    if (rule === 'literal' && text.includes('{{')) issues.push({ path: at, message: 'cannot be a template' });
    else issues.push(...checkTemplate(text, rule === null || rule === 'literal' ? 'json' : rule.escape, at));
  };
  const visit = (value: unknown, at: string, depth: number, key: string): void => {
    nodes += 1;
    if (nodes > limits.nodes || depth > limits.depth) {
      if (issues.length === 0) issues.push({ path: at, message: 'is too large for a body template' });
      return;
    }
    if (typeof value === 'string') {
      leaf(value, at, key);
    } else if (Array.isArray(value)) {
      trail.push(value);
      value.forEach((item, index) => {
        visit(item, `${at}/${index}`, depth + 1, String(index));
      });
      trail.pop();
    } else if (value !== null && typeof value === 'object') {
      trail.push(value);
      for (const [name, item] of Object.entries(value)) {
        const child = `${at}/${pointer(name)}`;
        if (name.includes('{{')) issues.push({ path: child, message: 'a key cannot be a template' });
        else if (name === '__proto__') issues.push({ path: child, message: 'is not allowed as a key' });
        else visit(item, child, depth + 1, name);
      }
      trail.pop();
    }
  };
  visit(tree, path, 0, '');
  return issues;
}

/** Renders a checked tree. Throws TemplateError when the text grows beyond the limits. */
export function renderJson(tree: Json, views: Views, rules?: LeafRules): RenderedJson {
  const missing = new Set<string>();
  const warnings = new Set<string>();
  let bytes = 0;
  const count = (text: string): void => {
    bytes += Buffer.byteLength(text);
    if (bytes > templateLimits.output * 4) throw new TemplateError('limit', 'the rendered body is too long');
  };
  const trail: unknown[] = [];
  const add = (rendered: Rendered): string => {
    for (const name of rendered.missing) missing.add(name);
    for (const warning of rendered.warnings) warnings.add(warning);
    count(rendered.text);
    return rendered.text;
  };
  const ruled = (text: string, key: string, rule: LeafRule): string => {
    if (!text.includes('{{')) return text;
    const full = add(renderText(text, views, rule.escape));
    if (full.trim() === '') return rule.empty ?? full;
    const kept = cutText(full, rule.maxLength ?? full.length);
    if (kept !== full) warnings.add(`${key}: cut at ${rule.maxLength} characters`);
    return kept;
  };
  const leaf = (text: string, key: string): Json => {
    const rule = rules?.(trail, key) ?? null;
    if (rule === 'literal') return text;
    if (rule !== null) return ruled(text, key, rule);
    const template = parseTemplate(text, { raw: false });
    const only = template.nodes.length === 1 ? template.nodes[0] : undefined;
    if (only?.kind === 'variable') {
      const value = lookup(only.name, views);
      if (value === undefined) missing.add(only.name);
      if (typeof value === 'string') count(value);
      return (value ?? null) as Json;
    }
    return add(render(template, views, 'none'));
  };
  const inside = <T>(value: Json, walkItems: () => T): T => {
    trail.push(value);
    const items = walkItems();
    trail.pop();
    return items;
  };
  const walk = (value: Json, key: string): Json => {
    if (typeof value === 'string') return leaf(value, key);
    if (Array.isArray(value))
      return inside(value, () => value.map((item, index) => walk(item, String(index))));
    if (value !== null && typeof value === 'object')
      return inside(value, () =>
        Object.fromEntries(Object.entries(value).map(([name, item]) => [name, walk(item as Json, name)])),
      );
    return value;
  };
  return { value: walk(tree, ''), missing: [...missing], warnings: [...warnings] };
}

/**
 * The tree with a word in place of every leaf that has tokens, or an address where `isAddress` says so: to check the shape of
 * a tree before anything is known of its values.
 */
export function sampleJson(tree: Json, isAddress: (key: string) => boolean, key = ''): Json {
  if (typeof tree === 'string') {
    if (!tree.includes('{{')) return tree;
    return isAddress(key) ? 'https://example.com/' : 'x';
  }
  if (Array.isArray(tree)) return tree.map((item) => sampleJson(item, isAddress, key));
  if (tree === null || typeof tree !== 'object') return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([name, item]) => [name, sampleJson(item as Json, isAddress, name)]),
  );
}

function pointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
