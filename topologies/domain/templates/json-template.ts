// JSON bodies as trees whose string leaves are templates, so that no value can reach outside its own leaf.
//
// A leaf that is exactly one variable tag keeps the type of its value (number, list, object); when the name is missing
// it becomes null. Keys are never templates.

import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Json } from '../action/outcome.ts';
import { lookup, type Views } from './lookup.ts';
import { parseTemplate, TemplateError, templateLimits } from './parse.ts';
import { type Rendered, render } from './render.ts';

const limits = { depth: 20, nodes: 2_000 } as const;

export interface RenderedJson {
  readonly value: Json;
  readonly missing: readonly string[];
  readonly warnings: readonly string[];
}

/** Problems of a JSON tree template; `path` is the JSON Pointer of the tree itself within its document. */
export function checkJsonTemplate(tree: unknown, path: string): Issue[] {
  const issues: Issue[] = [];
  let nodes = 0;
  const visit = (value: unknown, at: string, depth: number): void => {
    nodes += 1;
    if (nodes > limits.nodes || depth > limits.depth) {
      if (issues.length === 0) issues.push({ path: at, message: 'is too large for a body template' });
      return;
    }
    if (typeof value === 'string') {
      try {
        parseTemplate(value, { raw: false });
      } catch (error) {
        issues.push({ path: at, message: (error as Error).message });
      }
    } else if (Array.isArray(value)) {
      value.forEach((item, index) => {
        visit(item, `${at}/${index}`, depth + 1);
      });
    } else if (value !== null && typeof value === 'object') {
      for (const [key, item] of Object.entries(value)) {
        const child = `${at}/${pointer(key)}`;
        if (key.includes('{{')) issues.push({ path: child, message: 'a key cannot be a template' });
        else if (key === '__proto__') issues.push({ path: child, message: 'is not allowed as a key' });
        else visit(item, child, depth + 1);
      }
    }
  };
  visit(tree, path, 0);
  return issues;
}

/** Renders a checked tree. Throws TemplateError when the text grows beyond the limits. */
export function renderJson(tree: Json, views: Views): RenderedJson {
  const missing = new Set<string>();
  const warnings = new Set<string>();
  let bytes = 0;
  const count = (text: string): void => {
    bytes += Buffer.byteLength(text);
    if (bytes > templateLimits.output * 4) throw new TemplateError('limit', 'the rendered body is too long');
  };
  const leaf = (text: string): Json => {
    const template = parseTemplate(text, { raw: false });
    const only = template.nodes.length === 1 ? template.nodes[0] : undefined;
    if (only?.kind === 'variable') {
      const value = lookup(only.name, views);
      if (value === undefined) missing.add(only.name);
      if (typeof value === 'string') count(value);
      return (value ?? null) as Json;
    }
    const rendered: Rendered = render(template, views, 'none');
    for (const name of rendered.missing) missing.add(name);
    for (const warning of rendered.warnings) warnings.add(warning);
    count(rendered.text);
    return rendered.text;
  };
  const walk = (value: Json): Json => {
    if (typeof value === 'string') return leaf(value);
    if (Array.isArray(value)) return value.map(walk);
    if (value !== null && typeof value === 'object')
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item as Json)]));
    return value;
  };
  return { value: walk(tree), missing: [...missing], warnings: [...warnings] };
}

function pointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
