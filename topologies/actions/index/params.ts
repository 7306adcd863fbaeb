// Parameters of the index action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkDatePatterns, fillDates, refuseIndexName } from '../../domain/formats/index-name.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { checkJsonTemplate } from '../../domain/templates/json-template.ts';
import { parseTemplate, type Template } from '../../domain/templates/parse.ts';

export interface IndexParams {
  readonly index: string;
  readonly suffix?: string;
  readonly operation?: 'create' | 'update';
  readonly id?: string;
  readonly key_fields?: readonly string[];
  readonly version?: string;
  readonly document?: { readonly [field: string]: Json };
  readonly timestamp_field?: string;
}

/** Issues of schema-valid parameters. */
export function checkIndex(params: IndexParams): Issue[] {
  const { operation = 'create', id, key_fields: keys, version, document } = params;
  const issues = [
    ...checkName(params.index, '/index'),
    ...(params.suffix === undefined ? [] : checkName(params.suffix, '/suffix')),
    ...checkTemplate(id, 'url', '/id'),
    ...checkTemplate(version, 'url', '/version'),
    ...(document === undefined ? [] : checkJsonTemplate(document, '/document')),
  ];
  if (operation === 'create')
    for (const name of ['id', 'key_fields', 'version'] as const)
      if (params[name] !== undefined)
        issues.push({ path: `/${name}`, message: 'can only be set with operation update' });
  if (operation === 'update' && id === undefined && keys === undefined)
    issues.push({ path: '/id', message: 'or key_fields is required for update' });
  if (id !== undefined && keys !== undefined)
    issues.push({ path: '/key_fields', message: 'cannot be set together with id' });
  if (
    version !== undefined &&
    version !== 'event_time' &&
    !/^\d{1,18}$/.test(version) &&
    !version.includes('{{')
  )
    issues.push({ path: '/version', message: 'must be event_time or a template of a whole number' });
  return issues;
}

// Every tag stands for a letter here: what the literal text allows can be told before any value is known.
function checkName(text: string, path: string): Issue[] {
  const issues = checkTemplate(text, 'url', path);
  if (issues.length > 0) return issues;
  const template = parseTemplate(text, { raw: false });
  const literal = literalOf(template);
  const why =
    checkDatePatterns(literal) ??
    refuseIndexName(path === '/suffix' ? `x-${fillDates(literal, 0)}` : fillDates(literal, 0));
  return why === null ? [] : [{ path, message: why }];
}

function literalOf({ nodes }: Template): string {
  return nodes
    .map((node) => (node.kind === 'text' ? node.text : node.kind === 'section' ? literalOf(node) : 'x'))
    .join('');
}

/** The template of a name with its dates filled in, before any value is known; `time` is epoch ms. */
export function nameTemplate(text: string, time: number): Template {
  return parseTemplate(fillDates(text, time), { raw: false });
}

/** Documents go over HTTP. */
export function checkIndexConnection(connection: Connection): Issue[] {
  return connection.type === 'http' ? [] : [{ path: '', message: 'needs an HTTP connection' }];
}
