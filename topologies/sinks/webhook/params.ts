// Checks of the parameters of a webhook that its JSON Schema cannot express.

import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { framing, isDots } from '../../domain/action/http-target.ts';
import { refusedHeaderValue } from '../../domain/formats/header-value.ts';
import { parseIndexPattern } from '../elasticsearch/index-name.ts';
import type { WebhookSinkParams } from './manifest.ts';
import { elasticsearchForm } from './shapes.ts';

const ours: ReadonlySet<string> = new Set([
  'content-type',
  'content-encoding',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
  'x-hub-signature-256',
  'x-s4e-signature',
]);

/** Why a header of this name cannot be configured; null when it can. */
export function refusedHeader(name: string): string | null {
  const lower = name.toLowerCase();
  if (framing.has(lower)) return `the header ${name} belongs to the connection and cannot be set`;
  return ours.has(lower) ? `the header ${name} is set by the webhook` : null;
}

export function checkWebhookSink(params: WebhookSinkParams): Issue[] {
  const issues: Issue[] = [];
  const { path = '/', transform = 'none' } = params;
  if (path.split('/').some(isDots)) issues.push({ path: '/path', message: 'must be a plain path' });
  if (transform === 'splunk_hec' && /\/raw(\/|$)/.test(path))
    issues.push({
      path: '/path',
      message: 'must be the event endpoint: the raw endpoint takes no envelopes',
    });
  if (transform === 'elasticsearch' && elasticsearchForm(path) === null)
    issues.push({
      path: '/path',
      message: 'must end with /<index>/_doc or /_bulk for the transform elasticsearch',
    });
  if (params.splunk !== undefined && transform !== 'splunk_hec')
    issues.push({ path: '/splunk', message: 'is for the transform splunk_hec only' });
  if (params.elasticsearch !== undefined && transform !== 'elasticsearch')
    issues.push({ path: '/elasticsearch', message: 'is for the transform elasticsearch only' });
  if (params.elasticsearch?.index !== undefined) {
    if (transform === 'elasticsearch' && !/^\/_bulk\/?$/.test(path))
      issues.push({ path: '/elasticsearch/index', message: 'cannot be set: the path names the index' });
    const pattern = parseIndexPattern(params.elasticsearch.index);
    if ('error' in pattern) issues.push({ path: '/elasticsearch/index', message: pattern.error });
  }
  if (params.previous_until !== undefined && Number.isNaN(Date.parse(params.previous_until)))
    issues.push({ path: '/previous_until', message: 'must be a time as in RFC 3339' });
  return [...issues, ...checkHeaders(params)];
}

function checkHeaders({ headers = [], secret_headers = [] }: WebhookSinkParams): Issue[] {
  const issues: Issue[] = [];
  const seen = new Set<string>();
  const named = [
    ...headers.map(({ name }, index) => ({ name, path: `/headers/${index}/name` })),
    ...secret_headers.map((name, index) => ({ name, path: `/secret_headers/${index}` })),
  ];
  for (const { name, path } of named) {
    const refused = refusedHeader(name);
    if (refused !== null) issues.push({ path, message: refused });
    if (seen.has(name.toLowerCase())) issues.push({ path, message: `${name} is set twice` });
    seen.add(name.toLowerCase());
  }
  headers.forEach(({ value }, index) => {
    const unfit = refusedHeaderValue(value);
    if (unfit !== null) issues.push({ path: `/headers/${index}/value`, message: unfit });
  });
  return issues;
}

/** The credential comes from the connection or from a header, never from both. */
export function checkWebhookSinkConnection(
  { headers = [], secret_headers = [] }: WebhookSinkParams,
  connection: Connection,
): Issue[] {
  if (connection.type !== 'http') return [];
  const auth = connection.auth ?? { type: 'none' };
  const taken = auth.type === 'header' ? (auth.header ?? '').toLowerCase() : 'authorization';
  const issues: Issue[] = [];
  if (auth.type !== 'none') {
    headers.forEach(({ name }, index) => {
      if (name.toLowerCase() === taken)
        issues.push({ path: `/headers/${index}/name`, message: `${name} is already set by the connection` });
    });
    secret_headers.forEach((name, index) => {
      if (name.toLowerCase() === taken)
        issues.push({
          path: `/secret_headers/${index}`,
          message: `${name} is already set by the connection`,
        });
    });
  }
  if (secret_headers.length > 0 && connection.secrets?.['headers'] === undefined)
    issues.push({ path: '/secret_headers', message: 'needs secrets.headers in the connection' });
  return issues;
}
