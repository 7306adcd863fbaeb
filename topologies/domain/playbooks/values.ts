// Values of a playbook: any JSON, in which {"$": "path"} is the value at a path and texts are templates.
//
// Invariant: a value that comes from outside is never read as a template, here or where a command is carried out.
// Surprise: the parameters of a command keep their templates, because only the action knows how to escape what it renders. Paths
// are resolved here; a resolved text that looks like a template travels beside the parameters and is named by a tag.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Json } from '../action/outcome.ts';
import { parsePath } from '../rules/path.ts';
import { renderJson } from '../templates/json-template.ts';
import { lookup, type Views } from '../templates/lookup.ts';
import { parseTemplate, type TemplateNode } from '../templates/parse.ts';
import { renderText } from '../templates/render.ts';

/** A value or text, checked: the names that it reads. */
export interface ReadNames {
  readonly names: readonly string[];
  readonly issues: readonly Issue[];
}

const maxNodes = 2000;
const maxDepth = 20;

export interface ValueCheck {
  /** Roots that paths may start with besides those of conditions. */
  readonly extra?: readonly string[];
  /** Whether {{{raw}}} tags may stand in texts: in what an action renders, which checks them itself. */
  readonly raw?: boolean;
}

/** Checks a value; `path` is its JSON Pointer. */
export function checkValue(
  value: unknown,
  path: string,
  { extra = [], raw = false }: ValueCheck = {},
): ReadNames {
  const issues: Issue[] = [];
  const names: string[] = [];
  let nodes = 0;
  const visit = (node: unknown, at: string, depth: number): void => {
    nodes += 1;
    if (nodes > maxNodes || depth > maxDepth) {
      if (issues.length === 0) issues.push({ path: at, message: 'is too large' });
    } else if (typeof node === 'string') {
      try {
        tagNames(parseTemplate(node, { raw }).nodes, names);
      } catch (error) {
        issues.push({ path: at, message: (error as Error).message });
      }
    } else if (Array.isArray(node)) {
      for (const [index, item] of node.entries()) visit(item, `${at}/${index}`, depth + 1);
    } else if (typeof node === 'object' && node !== null) {
      if (Object.hasOwn(node, '$')) checkReference(node as Record<string, unknown>, at);
      else
        for (const [key, item] of Object.entries(node)) {
          const below = `${at}/${pointerToken(key)}`;
          if (key === '__proto__' || key.includes('{{'))
            issues.push({ path: below, message: 'is not allowed as a key' });
          else visit(item, below, depth + 1);
        }
    }
  };
  const checkReference = (node: Record<string, unknown>, at: string): void => {
    const text = node['$'];
    if (Object.keys(node).length > 1) issues.push({ path: at, message: 'a reference has no member but $' });
    else if (typeof text !== 'string') issues.push({ path: `${at}/$`, message: 'must be a path' });
    else {
      const root = text.split('.', 1)[0] as string;
      const parsed = extra.includes(root) ? { segments: [] } : parsePath(text, 'run');
      if ('error' in parsed) issues.push({ path: `${at}/$`, message: parsed.error });
      else if (text.endsWith('*'))
        issues.push({ path: `${at}/$`, message: 'names one value, not all texts' });
      else names.push(text);
    }
  };
  visit(value, path, 0);
  return { names, issues };
}

/** A key as a token of a JSON Pointer, RFC 6901 section 3. */
export function pointerToken(key: string | number): string {
  return String(key).replaceAll('~', '~0').replaceAll('/', '~1');
}

function tagNames(nodes: readonly TemplateNode[], names: string[]): void {
  for (const node of nodes) {
    if (node.kind === 'text') continue;
    names.push(node.name);
    if (node.kind === 'section') tagNames(node.nodes, names);
  }
}

/** Names that the texts and references of a value read. The value was checked. */
export function namesIn(value: unknown): readonly string[] {
  return checkValue(value, '', { extra: ['result'], raw: true }).names;
}

/** The value with references resolved and texts rendered; undefined for a reference to nothing. Throws TemplateError. */
export function resolveValue(value: unknown, views: Views): Json | undefined {
  if (typeof value === 'string') return renderJson(value, views).value;
  if (Array.isArray(value)) return value.map((item) => resolveValue(item, views) ?? null);
  if (typeof value !== 'object' || value === null) return (value ?? null) as Json;
  if (Object.hasOwn(value, '$')) return lookup((value as { $: string }).$, views) as Json | undefined;
  return membersOf(value, (member) => resolveValue(member, views));
}

/** A text rendered as it is. Throws TemplateError. */
export function resolveText(text: string, views: Views): string {
  return renderText(text, views, 'text').text;
}

export interface Resolved {
  readonly value: Json;
  /** Texts that tags {{values.<index>}} name. */
  readonly texts: readonly string[];
}

/** The value with references resolved and texts left as templates. A reference to nothing is null. */
export function resolveReferences(value: unknown, views: Views): Resolved {
  const texts: string[] = [];
  const guard = (found: unknown): Json => {
    if (typeof found === 'string')
      return found.includes('{{') ? `{{values.${texts.push(found) - 1}}}` : found;
    if (Array.isArray(found)) return found.map(guard);
    if (typeof found !== 'object' || found === null) return (found ?? null) as Json;
    return membersOf(found, guard);
  };
  const walk = (node: unknown): Json => {
    if (Array.isArray(node)) return node.map(walk);
    if (typeof node !== 'object' || node === null) return (node ?? null) as Json;
    if (Object.hasOwn(node, '$')) return guard(lookup((node as { $: string }).$, views));
    return membersOf(node, walk);
  };
  return { value: walk(value), texts };
}

function membersOf(node: object, map: (member: unknown) => Json | undefined): Json {
  const members = Object.entries(node).flatMap(([key, member]) => {
    const mapped = map(member);
    return mapped === undefined ? [] : [[key, mapped] as const];
  });
  return Object.fromEntries(members);
}
