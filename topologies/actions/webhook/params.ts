// Parameters of the webhook action as a type, and the checks that its JSON Schema cannot express.

import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { framing } from '../../domain/action/http-target.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkPath, type Pair } from '../../domain/action/path-template.ts';
import { refusedHeaderValue } from '../../domain/formats/header-value.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import type { Escape } from '../../domain/templates/escape.ts';
import { checkJsonTemplate } from '../../domain/templates/json-template.ts';
import { parseTemplate, TemplateError } from '../../domain/templates/parse.ts';

export interface WebhookParams {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path?: string;
  readonly params?: readonly Pair[];
  readonly headers?: readonly Pair[];
  readonly body?: Json;
  readonly content_type?: string;
  readonly transform?: 'none' | 'splunk_hec';
  readonly splunk?: { readonly index?: string; readonly source?: string; readonly sourcetype?: string };
  readonly sha256_signature?: boolean;
}

const signatureHeaders: ReadonlySet<string> = new Set([
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'x-s4e-signature',
]);
/** Headers that make no sense twice. */
const single: ReadonlySet<string> = new Set(['authorization', 'content-type', 'user-agent']);

/** Content type of the body: the parameter, else a Content-Type header, else JSON. */
export function contentTypeOf(params: WebhookParams): string {
  const header = params.headers?.find(({ name }) => name.toLowerCase() === 'content-type');
  return params.content_type ?? header?.value ?? 'application/json';
}

/** How tokens of a text body are escaped. */
export function escapeOf(contentType: string): Escape {
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (type === 'application/json' || type.endsWith('+json')) return 'json';
  if (type === 'application/x-www-form-urlencoded') return 'url';
  if (type === 'text/html' || type.endsWith('/xml') || type.endsWith('+xml')) return 'html';
  return 'text';
}

/** Issues of schema-valid parameters. */
export function checkWebhook(params: WebhookParams): Issue[] {
  return [
    ...checkPath(params.path ?? '/', '/path'),
    ...(params.params ?? []).flatMap(({ value }, index) =>
      checkTemplate(value, 'url', `/params/${index}/value`),
    ),
    ...checkHeaders(params),
    ...checkBody(params),
  ];
}

/** Why this header name cannot be configured; null when it can. */
function refusedHeader(name: string): string | null {
  const lower = name.toLowerCase();
  if (framing.has(lower)) return `the header ${name} belongs to the connection and cannot be set`;
  if (signatureHeaders.has(lower)) return `the header ${name} is set by the signature`;
  return null;
}

function checkHeaders(params: WebhookParams): Issue[] {
  const issues: Issue[] = [];
  const seen = new Set<string>();
  for (const [index, { name, value }] of (params.headers ?? []).entries()) {
    const lower = name.toLowerCase();
    const refused = refusedHeader(name);
    if (refused !== null) issues.push({ path: `/headers/${index}/name`, message: refused });
    if (single.has(lower) && seen.has(lower))
      issues.push({ path: `/headers/${index}/name`, message: `${name} is set twice` });
    seen.add(lower);
    const unfit = refusedHeaderValue(value);
    if (unfit !== null) issues.push({ path: `/headers/${index}/value`, message: unfit });
    if (lower === 'content-type' && (params.content_type !== undefined || value.includes('{{')))
      issues.push({
        path: `/headers/${index}/name`,
        message: 'use content_type, which cannot be a template',
      });
    issues.push(...checkTemplate(value, 'header', `/headers/${index}/value`));
  }
  return issues;
}

function checkBody(params: WebhookParams): Issue[] {
  const { body } = params;
  if (body === undefined) return [];
  if (params.transform === 'splunk_hec')
    return [{ path: '/body', message: 'cannot be set together with transform' }];
  const kind = escapeOf(contentTypeOf(params));
  if (typeof body !== 'string') {
    if (kind !== 'json')
      return [{ path: '/content_type', message: 'must be JSON for a body that is no text' }];
    return checkJsonTemplate(body, '/body');
  }
  const issues = checkTemplate(body, kind, '/body');
  // A text without tags can be judged now.
  if (issues.length === 0 && kind === 'json' && body !== '' && isLiteral(body) && !isJson(body))
    issues.push({ path: '/body', message: 'is not valid JSON' });
  return issues;
}

function isLiteral(text: string): boolean {
  try {
    return parseTemplate(text, { raw: false }).nodes.every((node) => node.kind === 'text');
  } catch (error) {
    if (error instanceof TemplateError) return false;
    throw error;
  }
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The credential comes from the connection or from a header, never from both. */
export function checkWebhookConnection(params: WebhookParams, connection: Connection): Issue[] {
  if (connection.type !== 'http') return [{ path: '', message: 'needs an HTTP connection' }];
  const auth = connection.auth ?? { type: 'none' };
  if (auth.type === 'none') return [];
  const taken = auth.type === 'header' ? (auth.header ?? '').toLowerCase() : 'authorization';
  return (params.headers ?? []).flatMap(({ name }, index) =>
    name.toLowerCase() === taken
      ? [{ path: `/headers/${index}/name`, message: `${name} is already set by the connection` }]
      : [],
  );
}
