// What is shown of a SIEM integration: its settings as they would be sent, credentials by their names.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Filters } from './event-filters.ts';
import { shownUrl } from './sink-address.ts';
import type { StoredPair } from './sink-pairs.ts';
import { defined } from './webhook-body.ts';

type Config = Readonly<Record<string, unknown>>;

const hidden = new Set([
  'kind',
  'id',
  'name',
  'type',
  'secrets',
  'tls',
  'protocol',
  'host',
  'port',
  'base_path',
  'auth',
  'enabled',
]);

/** What is shown of an integration; credentials by their names. */
export function shownSiem({ sink, connection }: StoredPair): Record<string, unknown> {
  const { events, ...filters } = (sink.document.filters ?? {}) as Filters;
  const type = String(sink.document.type).replace('-', '_');
  const {
    path = '/',
    secret_headers: _,
    ...params
  } = sink.document.params as { path?: string; secret_headers?: unknown };
  const held = connection.document;
  const limits = Object.entries(held).filter(([name]) => !hidden.has(name));
  const place =
    type === 'syslog'
      ? defined({ protocol: held.protocol ?? 'tls', host: held.host, port: held.port })
      : { url: shownUrl(held, type === 'elasticsearch' ? String(held.base_path ?? '/') : path) };
  const { ca, ...otherTls } = (held.tls ?? {}) as Config;
  return {
    id: sink.document.id,
    type,
    name: sink.document.name,
    config: {
      ...place,
      ...params,
      ...Object.fromEntries(limits),
      ...(held.tls === undefined ? {} : { tls: defined({ ...otherTls, ca_cert: ca }) }),
      ...((held.auth as Config | undefined)?.type === 'basic'
        ? { user: (held.auth as Config).username }
        : {}),
    },
    credentials: Object.keys((held.secrets ?? {}) as Config).sort(),
    ...(events === undefined ? {} : { events }),
    ...(Object.keys(filters).length === 0 ? {} : { filters }),
    active: sink.document.enabled !== false,
    created_at: sink.document.since,
    updated_at: sink.updatedAt.toISOString(),
    updated_by: sink.updatedBy,
  };
}

/** What works and is likely to be a mistake, as issues of the body. */
export function siemNotes({ connection }: StoredPair): Issue[] {
  const {
    protocol = 'tls',
    port,
    tls: given,
    type,
  } = connection.document as unknown as {
    protocol?: string;
    port?: number;
    tls?: { verify?: boolean };
    type: string;
  };
  return [
    ...(given?.verify === false
      ? [{ path: '/tls/verify', message: 'anybody on the way can read and change what is sent' }]
      : []),
    ...(type === 'syslog' && /tls/.test(protocol) && port === 514
      ? [{ path: '/port', message: '514 is the port for syslog without TLS; TLS has 6514' }]
      : []),
  ];
}
