// A webhook as people send and see it, and the two documents that it is.

import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { framing } from '@tocsin/topologies/domain/action/http-target.ts';
import { keyOf } from '@tocsin/topologies/domain/delivery/sign.ts';
import { refusedHeaderValue } from '@tocsin/topologies/domain/formats/header-value.ts';
import type { WebhookSinkParams } from '@tocsin/topologies/sinks/webhook/manifest.ts';
import { manifest } from '@tocsin/topologies/sinks/webhook/manifest.ts';
import { secretIssues } from './connection-secrets.ts';
import { unprocessable } from './errors.ts';
import { eventsSchema, type Filters, filtersOf, filtersSchema } from './event-filters.ts';
import { addressOf, shownUrl } from './sink-address.ts';
import type { BodyPath, PairDocuments, StoredPair } from './sink-pairs.ts';

export interface WebhookBody {
  readonly name?: string;
  readonly url?: string;
  readonly events?: readonly string[];
  readonly secret?: string | null;
  readonly headers?: Readonly<Record<string, string>> | null;
  readonly transform?: WebhookSinkParams['transform'];
  readonly filters?: Filters;
  readonly active?: boolean;
  readonly allow_insecure?: boolean;
  readonly allow_cidrs?: readonly string[];
  readonly tls?: Readonly<Record<string, unknown>>;
  readonly timeout_ms?: number;
  readonly in_flight?: number;
  readonly splunk?: WebhookSinkParams['splunk'];
  readonly elasticsearch?: WebhookSinkParams['elasticsearch'];
  readonly signatures?: WebhookSinkParams['signatures'];
  readonly not_found?: WebhookSinkParams['not_found'];
  readonly max_attempts?: number;
  readonly pause_after_ms?: number;
  readonly pause_after_failures?: number;
}

/** Parameters of the sink that are fields of a webhook under the same name. */
const params = [
  'transform',
  'splunk',
  'elasticsearch',
  'signatures',
  'not_found',
  'max_attempts',
  'pause_after_ms',
  'pause_after_failures',
] as const;
const tlsSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    verify: { type: 'boolean' },
    ca: { type: 'string', maxLength: 65_536, description: 'PEM.' },
    servername: { type: 'string', maxLength: 253 },
  },
};

export const webhookFields = {
  name: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]*$' },
  url: { type: 'string', minLength: 1, maxLength: 2048, description: 'A query is kept as a secret.' },
  events: eventsSchema,
  secret: {
    type: ['string', 'null'],
    maxLength: 1024,
    description: 'At least 16 bytes; whsec_ and base64, or text. Never returned.',
  },
  headers: {
    type: ['object', 'null'],
    maxProperties: 50,
    propertyNames: { pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$" },
    additionalProperties: { type: 'string', minLength: 1, maxLength: 4096 },
    description: 'Further headers. Their values are secrets and never returned; given anew they replace all.',
  },
  filters: filtersSchema,
  active: { type: 'boolean' },
  allow_insecure: { type: 'boolean', description: 'Must be true for an http address.' },
  allow_cidrs: { type: 'array', maxItems: 100, items: { type: 'string' } },
  tls: tlsSchema,
  timeout_ms: { type: 'integer', minimum: 100, maximum: 300_000 },
  in_flight: {
    type: 'integer',
    minimum: 1,
    maximum: 64,
    description: 'Requests at a time; 1 keeps the order of a partition.',
  },
  ...Object.fromEntries(
    params.map((name) => [name, (manifest.params.properties as Record<string, object>)[name]]),
  ),
};

/** The documents of a webhook. `before`: what it is now; its address, secrets and headers stay where the body says nothing. Throws 422. */
export function webhookDocuments(
  id: string,
  body: WebhookBody,
  before: StoredPair | null,
  now: number,
): PairDocuments {
  const issues = [...secretProblems(body), ...headerProblems(body)];
  if (issues.length > 0) throw unprocessable(issues);
  const held = before?.sink.document.params as WebhookSinkParams | undefined;
  const address = body.url === undefined ? null : addressOf(body.url, '/url');
  const old = before?.connection.document;
  if (address === null && old === undefined) throw unprocessable([{ path: '/url', message: 'is required' }]);
  if (address?.protocol === 'http' && body.allow_insecure !== true)
    throw unprocessable([
      { path: '/url', message: 'must be https, or http together with allow_insecure: true' },
    ]);
  const { protocol, host, port } = address ?? (old as unknown as NonNullable<typeof address>);
  const names = body.headers === undefined ? (held?.secret_headers ?? []) : Object.keys(body.headers ?? {});
  const filters = filtersOf(body.events, body.filters);
  const keepsSecret = body.secret === undefined && held?.previous_until !== undefined;
  return {
    connection: {
      kind: 'connection',
      id,
      ...(body.name === undefined ? {} : { name: body.name }),
      type: 'http',
      protocol: protocol ?? 'https',
      host,
      ...(port === undefined ? {} : { port }),
      ...(body.allow_insecure === undefined ? {} : { allow_insecure: body.allow_insecure }),
      ...(body.allow_cidrs === undefined ? {} : { allow_cidrs: body.allow_cidrs }),
      ...(body.tls === undefined ? {} : { tls: body.tls }),
      ...(body.timeout_ms === undefined ? {} : { timeout_ms: body.timeout_ms }),
      secrets: {
        ...(body.secret === undefined
          ? {}
          : { hmac: body.secret === null ? null : { value: body.secret }, hmac_previous: null }),
        ...(body.headers === undefined
          ? {}
          : { headers: names.length === 0 ? null : { value: JSON.stringify(body.headers) } }),
        ...(address === null
          ? {}
          : { secret_path: address.secretPath === null ? null : { value: address.secretPath } }),
      },
    },
    sink: {
      kind: 'sink',
      id,
      ...(body.name === undefined ? {} : { name: body.name }),
      type: 'webhook',
      enabled: body.active ?? true,
      connection: id,
      topics: ['findings', 'events'],
      since: (before?.sink.document.since as string | undefined) ?? new Date(now).toISOString(),
      filters,
      ...(body.in_flight === undefined ? {} : { batch: { in_flight: body.in_flight } }),
      params: {
        path: address?.path ?? held?.path ?? '/',
        ...(names.length === 0 ? {} : { secret_headers: names }),
        ...Object.fromEntries(
          params.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])),
        ),
        ...(keepsSecret ? { previous_until: held.previous_until } : {}),
      },
    },
  };
}

function secretProblems({ secret }: WebhookBody): Issue[] {
  if (secret === undefined || secret === null) return [];
  const issues = secretIssues('/secret', secret);
  if (issues.length === 0 && keyOf(secret) === null)
    return [{ path: '/secret', message: 'must have at least 16 bytes, as text or as whsec_ and base64' }];
  return issues;
}

function headerProblems({ headers }: WebhookBody): Issue[] {
  return Object.entries(headers ?? {}).flatMap(([name, value]) => {
    const path = `/headers/${name.replaceAll('~', '~0')}`;
    const unfit = refusedHeaderValue(value);
    if (unfit !== null) return [{ path, message: unfit }];
    if (framing.has(name.toLowerCase()))
      return [{ path, message: 'belongs to the connection and cannot be set' }];
    return secretIssues(path, value);
  });
}

/** The fields of a webhook as it is stored, without its secrets: what a change is laid over. */
export function fieldsOf({ sink, connection }: StoredPair): Omit<WebhookBody, 'url' | 'secret' | 'headers'> {
  const held = sink.document.params as WebhookSinkParams;
  const { allow_insecure, allow_cidrs, tls, timeout_ms } = connection.document as WebhookBody;
  const { events, ...filters } = (sink.document.filters ?? {}) as Filters;
  const inFlight = (sink.document.batch as { in_flight?: number } | undefined)?.in_flight;
  return defined({
    name: sink.document.name as string | undefined,
    events,
    filters: Object.keys(filters).length === 0 ? undefined : filters,
    active: sink.document.enabled !== false,
    allow_insecure,
    allow_cidrs,
    tls,
    timeout_ms,
    in_flight: inFlight,
    ...Object.fromEntries(params.map((name) => [name, held[name]])),
  });
}

export function defined<T extends object>(value: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never;
}

/** What is shown of a webhook; secrets by their being there. */
export function shownWebhook(pair: StoredPair): Record<string, unknown> {
  const { sink, connection } = pair;
  const held = sink.document.params as WebhookSinkParams;
  const secrets = (connection.document.secrets ?? {}) as Readonly<Record<string, unknown>>;
  return {
    id: sink.document.id,
    ...fieldsOf(pair),
    url: shownUrl(connection.document, held.path ?? '/'),
    secret_set: secrets.hmac !== undefined,
    ...(secrets.hmac_previous === undefined || held.previous_until === undefined
      ? {}
      : { previous_secret_until: held.previous_until }),
    headers: Object.fromEntries((held.secret_headers ?? []).map((name) => [name, '[secret]'])),
    created_at: sink.document.since,
    updated_at: sink.updatedAt.toISOString(),
    updated_by: sink.updatedBy,
  };
}

/** Fields of the two documents as fields of a webhook. */
export const webhookPath: BodyPath = (path) => {
  if (/^\/secrets\/hmac/.test(path)) return '/secret';
  if (/^\/(secrets|params)\/(secret_)?headers/.test(path)) return '/headers';
  if (/^\/(host|port|protocol|base_path|secrets\/secret_path|params\/path)\b/.test(path)) return '/url';
  if (/^\/batch\/in_flight/.test(path)) return '/in_flight';
  return path.replace(/^\/params\//, '/').replace(/^\/enabled/, '/active');
};
