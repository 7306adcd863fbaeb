// Paths and queries of HTTP actions as templates.
//
// Invariant: no value can add a path segment or a query parameter.
// Surprise: a token of the path without a value fails, because `DELETE /items/` is not `DELETE /items/{{id}}`.
import type { Issue, JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import { checkTemplate, literalText, mapText } from '../templates/check.ts';
import { escapeUrl } from '../templates/escape.ts';
import type { Views } from '../templates/lookup.ts';
import { parseTemplate } from '../templates/parse.ts';
import { render, renderText, warningsOf } from '../templates/render.ts';
import { failed } from './fail.ts';
import { isDots } from './http-target.ts';
import type { Failed } from './outcome.ts';

/** A query parameter; only its value is a template. */
export interface Pair {
  readonly name: string;
  readonly value: string;
}

/** JSON Schema of a list of pairs. `what` one is, for people. */
export function pairsParam(what: string, maxItems: number, namePattern = '^[^{}]+$'): JsonSchema {
  return {
    type: 'array',
    maxItems,
    items: {
      type: 'object',
      additionalProperties: false,
      required: ['name', 'value'],
      properties: {
        name: {
          type: 'string',
          minLength: 1,
          maxLength: 128,
          pattern: namePattern,
          description: `Name of the ${what}; not a template.`,
        },
        value: { type: 'string', maxLength: 8192, description: `Value of the ${what}; a template.` },
      },
    },
  };
}

/** Problems of a path template; `at` is its JSON Pointer. */
export function checkPath(path: string, at: string): Issue[] {
  const issues = checkTemplate(path, 'url', at);
  if (issues.length > 0) return issues;
  const literal = literalText(parseTemplate(path, { raw: false }));
  if (literal.includes('?')) return [{ path: at, message: 'cannot hold a query; use params' }];
  if (literal.includes('#')) return [{ path: at, message: 'cannot hold a fragment' }];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\\\u0000-\u001f\u007f]/.test(literal))
    return [{ path: at, message: 'holds a character that no path may have' }];
  if (path.includes('//'))
    return [{ path: at, message: 'has an empty segment; scheme and host come from the connection' }];
  if (path.split('/').some(isDots)) return [{ path: at, message: 'cannot hold . or .. segments' }];
  return [];
}

/** The path, percent-encoded, with a slash in front. Throws TemplateError. */
export function renderPath(path: string, views: Views): string | Failed {
  const template = mapText(parseTemplate(path, { raw: false }), encodeLiteral);
  const { text, empty } = render(template, views, 'url');
  if (empty.length > 0) return failed('template', `path: {{${empty[0]}}} has no value`);
  const full = text.startsWith('/') ? text : `/${text}`;
  if (full.split('/').some(isDots)) return failed('template', 'path: a token would climb to another path');
  return full;
}

// What RFC 3986 allows in a path stays, and so does text that is percent-encoded already.
function encodeLiteral(text: string): string {
  return text
    .toWellFormed()
    .replace(/%(?![0-9A-Fa-f]{2})/g, '%25')
    .replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]/gu, (char) => encodeURIComponent(char));
}

/** `?name=value&...`, or nothing without parameters. Throws TemplateError. */
export function renderQuery(
  pairs: readonly Pair[],
  views: Views,
): { readonly text: string; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  const parts = pairs.map(({ name, value }) => {
    const rendered = renderText(value, views, 'none');
    warnings.push(...warningsOf(`params ${name}`, rendered));
    return `${escapeUrl(name)}=${escapeUrl(rendered.text)}`;
  });
  return { text: parts.length === 0 ? '' : `?${parts.join('&')}`, warnings };
}
