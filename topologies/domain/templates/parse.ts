// Parses mustache templates into a small tree, at save and again before rendering. The one place that imports mustache.
//
// Invariant: whatever parses here can be rendered within the limits below; nothing else of mustache is reachable:
// no partials, no delimiter changes, no lambdas, and raw tags only where the output is plain text.
// Surprise: mustache's own parser runs only after cheap scans, because it is recursive-free but quadratic on long tags.
import Mustache from 'mustache';

export const templateLimits = {
  /** Bytes of one template. */
  bytes: 16 * 1024,
  /** Variables and sections in one template. */
  tags: 200,
  /** Sections inside sections. */
  nesting: 5,
  /** Characters of one tag. */
  tagLength: 256,
  /** Dots in one name. */
  segments: 10,
  /** Items of a list that a section repeats. */
  items: 1_000,
  /** Bytes of one rendered text. */
  output: 256 * 1024,
  /** Nodes visited while one text is rendered. */
  steps: 200_000,
} as const;

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string; readonly raw: boolean }
  | {
      readonly kind: 'section';
      readonly name: string;
      readonly inverted: boolean;
      readonly nodes: readonly TemplateNode[];
    };

export interface Template {
  readonly nodes: readonly TemplateNode[];
}

/** Why a template is refused, or (code 'limit') why it could not be rendered. */
export class TemplateError extends Error {
  readonly code: 'syntax' | 'limit';
  constructor(code: 'syntax' | 'limit', message: string) {
    super(message);
    this.name = 'TemplateError';
    this.code = code;
  }
}

// A name segment that would reach an object's machinery in any renderer; refused even though lookups see own fields only.
const forbiddenSegments = new Set(['__proto__', 'constructor', 'prototype']);

type Token = [type: string, value: string, start: number, end: number, inner?: Token[]];

const writer = new Mustache.Writer();
// Mustache keeps every template it ever saw; ours is bounded.
(writer as unknown as { templateCache: undefined }).templateCache = undefined;

/** By text; with and without raw tags. */
const parsed = { raw: new Map<string, Template>(), escaped: new Map<string, Template>() };
const parsedLimit = 1_000;

/**
 * Parses `text`. With `raw`, `{{{x}}}` and `{{&x}}` are allowed: only for plain text output.
 * Throws TemplateError with a message for the author of the template.
 */
export function parseTemplate(text: string, options: { readonly raw: boolean }): Template {
  const held = options.raw ? parsed.raw : parsed.escaped;
  const known = held.get(text);
  if (known !== undefined) return known;
  const template = { nodes: parseUncached(text, options.raw) };
  if (held.size >= parsedLimit) held.delete(held.keys().next().value as string);
  held.set(text, template);
  return template;
}

function parseUncached(text: string, raw: boolean): TemplateNode[] {
  if (Buffer.byteLength(text) > templateLimits.bytes)
    throw syntax(`is longer than ${templateLimits.bytes} bytes`);
  scanTags(text);
  let tokens: Token[];
  try {
    tokens = writer.parse(text, ['{{', '}}']) as unknown as Token[];
  } catch (error) {
    throw syntax((error as Error).message);
  }
  const budget = { tags: 0 };
  return convert(tokens, raw, 0, budget);
}

// Mustache's closing-tag expression is quadratic in a tag's length and its delimiter tags change the grammar, so both
// are refused by a linear scan first.
function scanTags(text: string): void {
  let count = 0;
  for (let at = text.indexOf('{{'); at !== -1; ) {
    count += 1;
    if (count > templateLimits.tags * 2) throw syntax(`has more than ${templateLimits.tags} tags`);
    const end = text.indexOf('}}', at + 2);
    if (end === -1) throw syntax(`has a tag that is not closed at ${at}`);
    if (end - at > templateLimits.tagLength)
      throw syntax(`has a tag longer than ${templateLimits.tagLength} characters`);
    const head = text.slice(at + 2, end).trimStart();
    if (head.startsWith('=')) throw syntax('changes the delimiters, which is not allowed');
    at = text.indexOf('{{', end + 2);
  }
}

function convert(
  tokens: readonly Token[],
  raw: boolean,
  depth: number,
  budget: { tags: number },
): TemplateNode[] {
  const nodes: TemplateNode[] = [];
  for (const [type, value, , , inner] of tokens) {
    if (type === 'text') {
      nodes.push({ kind: 'text', text: value });
      continue;
    }
    if (type === '!') continue;
    budget.tags += 1;
    if (budget.tags > templateLimits.tags) throw syntax(`has more than ${templateLimits.tags} tags`);
    if (type === 'name' || type === '&') {
      if (type === '&' && !raw)
        throw syntax(`has the raw tag {{{${value}}}}, which only plain text may have`);
      nodes.push({ kind: 'variable', name: checkName(value), raw: type === '&' });
    } else if (type === '#' || type === '^') {
      if (depth >= templateLimits.nesting)
        throw syntax(`nests sections deeper than ${templateLimits.nesting}`);
      const name = checkName(value);
      nodes.push({
        kind: 'section',
        name,
        inverted: type === '^',
        nodes: convert(inner ?? [], raw, depth + 1, budget),
      });
    } else {
      throw syntax(type === '>' ? 'includes a partial, which is not allowed' : `has an unknown tag ${type}`);
    }
  }
  return nodes;
}

function checkName(name: string): string {
  if (name === '.') return name;
  if (name === '') throw syntax('has an empty tag');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f-\u009f{}]/.test(name))
    throw syntax('has a tag with a character that no name may have');
  const segments = name.split('.');
  if (segments.length > templateLimits.segments)
    throw syntax(`has a name of more than ${templateLimits.segments} parts`);
  for (const segment of segments) {
    if (segment === '') throw syntax(`has the malformed name ${name}`);
    if (forbiddenSegments.has(segment)) throw syntax(`uses the name ${segment}, which is not allowed`);
  }
  return name;
}

function syntax(message: string): TemplateError {
  return new TemplateError('syntax', message);
}
