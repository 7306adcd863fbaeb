// Renders a parsed template over a stack of views. Values are never templates: they are written once and not read again.
//
// Invariant: time and output are bounded whatever the values are (templateLimits). A missing name renders as nothing
// and is reported by name; a missing section is simply not shown, because asking is what sections are for.
import { type Escape, escapeHeader, escapeHtml, escapeText, escapeUrl, JsonPlace, textOf } from './escape.ts';
import { escapeMarkdown, escapeMrkdwn, fencedText } from './escape-chat.ts';
import { lookup, type Views } from './lookup.ts';
import { parseTemplate, type Template, TemplateError, type TemplateNode, templateLimits } from './parse.ts';

export interface Rendered {
  readonly text: string;
  /** Names that no view has, each once, in order of appearance. */
  readonly missing: readonly string[];
  /** Names that wrote nothing, missing or not. */
  readonly empty: readonly string[];
  /** Other things a person should know, such as a list that was cut. */
  readonly warnings: readonly string[];
}

interface State {
  readonly escape: Escape;
  readonly json: JsonPlace;
  readonly parts: string[];
  readonly missing: Set<string>;
  readonly empty: Set<string>;
  readonly warnings: Set<string>;
  bytes: number;
  steps: number;
}

/** Renders `template`. Throws TemplateError with code 'limit' when the text or the work grows beyond the limits. */
export function render(template: Template, views: Views, kind: Escape): Rendered {
  const state: State = {
    escape: kind,
    json: new JsonPlace(),
    parts: [],
    missing: new Set(),
    empty: new Set(),
    warnings: new Set(),
    bytes: 0,
    steps: 0,
  };
  renderNodes(template.nodes, views, state);
  return {
    text: state.parts.join(''),
    missing: [...state.missing],
    empty: [...state.empty],
    warnings: [...state.warnings],
  };
}

/** Parses and renders in one step. Raw tags are accepted for 'text' and 'none' only. */
export function renderText(text: string, views: Views, kind: Escape): Rendered {
  return render(parseTemplate(text, { raw: allowsRaw(kind) }), views, kind);
}

/** Whether `{{{x}}}` may stand in output of this kind. */
export function allowsRaw(kind: Escape): boolean {
  return kind === 'text' || kind === 'none';
}

/** What a person should know about a rendered text, as lines. */
export function warningsOf(field: string, rendered: Pick<Rendered, 'missing' | 'warnings'>): string[] {
  return [
    ...rendered.missing.map((name) => `${field}: {{${name}}} has no value and was left empty`),
    ...rendered.warnings.map((warning) => `${field}: ${warning}`),
  ];
}

function renderNodes(nodes: readonly TemplateNode[], views: Views, state: State): void {
  for (const node of nodes) {
    state.steps += 1;
    if (state.steps > templateLimits.steps)
      throw new TemplateError('limit', 'the template takes too many steps to render');
    if (node.kind === 'text') {
      if (state.escape === 'json') state.json.literal(node.text);
      append(node.text, state);
    } else if (node.kind === 'variable') {
      renderVariable(node, views, state);
    } else {
      renderSection(node, views, state);
    }
  }
}

function renderVariable(node: TemplateNode & { kind: 'variable' }, views: Views, state: State): void {
  const value = lookup(node.name, views);
  if (value === undefined) state.missing.add(node.name);
  const text = node.raw ? textOf(value) : escapeValue(value, state);
  if (text === '') state.empty.add(node.name);
  append(text, state);
}

function escapeValue(value: unknown, state: State): string {
  switch (state.escape) {
    case 'html':
      return escapeHtml(textOf(value));
    case 'json':
      return state.json.value(value);
    case 'header':
      return escapeHeader(textOf(value));
    case 'url':
      return escapeUrl(textOf(value));
    case 'text':
      return escapeText(textOf(value));
    case 'chat':
      return fencedText(textOf(value));
    case 'mrkdwn':
      return escapeMrkdwn(textOf(value), state.parts.at(-1)?.endsWith('<'));
    case 'markdown':
      return escapeMarkdown(textOf(value));
    case 'none':
      return textOf(value);
  }
}

function renderSection(node: TemplateNode & { kind: 'section' }, views: Views, state: State): void {
  const value = lookup(node.name, views);
  const empty = !value || (Array.isArray(value) && value.length === 0);
  if (node.inverted) {
    if (empty) renderNodes(node.nodes, views, state);
    return;
  }
  if (empty) return;
  if (!Array.isArray(value)) {
    renderNodes(node.nodes, value === true ? views : [value, ...views], state);
    return;
  }
  const shown = Math.min(value.length, templateLimits.items);
  if (shown < value.length) state.warnings.add(`{{#${node.name}}} shows ${shown} of ${value.length} items`);
  for (let index = 0; index < shown; index += 1) renderNodes(node.nodes, [value[index], ...views], state);
}

function append(text: string, state: State): void {
  if (text === '') return;
  state.bytes += Buffer.byteLength(text);
  if (state.bytes > templateLimits.output)
    throw new TemplateError('limit', `the rendered text is longer than ${templateLimits.output} bytes`);
  state.parts.push(text);
}
