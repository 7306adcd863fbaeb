// A SIEM integration as people send and see it, and the two documents that it is. Two forms of a body: the guide's flat one and the
// reference's, with the settings of the type in `config`.
import type { Document } from '@tocsin/adapters/postgres/config-store.ts';
import { ApiError, unprocessable } from './errors.ts';
import { type Filters, filtersOf } from './event-filters.ts';
import { kinds, paramsOf, siemChecks } from './siem-kinds.ts';
import { addressOf } from './sink-address.ts';
import type { PairDocuments, StoredPair } from './sink-pairs.ts';
import { defined, type WebhookBody, webhookDocuments, webhookPath } from './webhook-body.ts';

type Config = Readonly<Record<string, unknown>>;
type SinkType = 'syslog' | 'splunk-hec' | 'elasticsearch' | 'webhook';

export interface SiemBody {
  readonly type: keyof typeof kinds;
  readonly name?: string;
  readonly config?: Config;
  readonly events?: readonly string[];
  readonly filters?: Filters;
  readonly active?: boolean;
}

/** The documents of an integration. `before`: what it is now; credentials stay where the body says nothing. Throws 422 that names the field. */
export function siemDocuments(
  id: string,
  given: Config,
  before: StoredPair | null,
  now: number,
): PairDocuments {
  const { type, name, events, filters, active, config, ...rest } = given as unknown as SiemBody & Config;
  const isNested = config !== undefined;
  const stray = Object.keys(rest)[0];
  if (isNested && stray !== undefined)
    throw unprocessable([{ path: `/${stray}`, message: 'belongs into config, where there is one' }]);
  const settings: Config = isNested ? config : rest;
  const base = isNested ? '/config' : '';
  const kind = kinds[type];
  const { whole, kept } = siemChecks.get(type)!;
  const issues = (before === null ? whole : kept)(settings);
  if (issues.length > 0) throw unprocessable(issues.map((issue) => ({ ...issue, path: base + issue.path })));
  if (before !== null && before.sink.document.type !== kind.sink)
    throw unprocessable([{ path: '/type', message: 'cannot change; make a new one' }]);
  const shared = {
    filters: filtersOf(events, filters),
    enabled: active ?? true,
    name: name ?? (before?.sink.document.name as string | undefined) ?? `SIEM ${type}`,
    since: (before?.sink.document.since as string | undefined) ?? new Date(now).toISOString(),
    topics: ['findings', 'events'],
  };
  if (kind.sink === 'webhook') {
    const made = under(base, () => webhookDocuments(id, settings as WebhookBody, before, now));
    return { connection: { ...made.connection, name: shared.name }, sink: { ...made.sink, ...shared } };
  }
  const sink: Document = {
    kind: 'sink',
    id,
    type: kind.sink,
    connection: id,
    ...shared,
    params: paramsFor(kind.sink, type, settings),
  };
  const head = { kind: 'connection', id, name: shared.name } as const;
  return {
    sink,
    connection:
      kind.sink === 'syslog'
        ? { ...head, ...syslogConnection(settings, base) }
        : { ...head, ...httpConnection(kind.sink, settings, before, base) },
  };
}

// Problems of a webhook, at their place in the body.
function under<T>(base: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ApiError) || base === '') throw error;
    throw unprocessable(
      error.issues.map((issue) => ({ ...issue, path: base + issue.path })),
      error.code,
    );
  }
}

function paramsFor(sink: keyof typeof paramsOf, type: string, settings: Config): Config {
  const own = paramsOf[sink].flatMap((name) =>
    settings[name] === undefined ? [] : [[name, settings[name]]],
  );
  const path =
    sink === 'splunk-hec' && typeof settings.url === 'string'
      ? (URL.parse(settings.url)?.pathname ?? '/')
      : '/';
  return {
    ...(type === 'qradar' ? { format: 'leef' } : {}),
    ...Object.fromEntries(own),
    ...(path === '/' ? {} : { path }),
  };
}

function syslogConnection(settings: Config, base: string): Config {
  const { protocol, host, port, framing, allow_cidrs, timeout_ms } = settings;
  return {
    type: 'syslog',
    ...defined({ protocol, host, port, framing, allow_cidrs, timeout_ms }),
    ...tlsOf(settings, base),
  };
}

function httpConnection(sink: SinkType, settings: Config, before: StoredPair | null, base: string): Config {
  const address = typeof settings.url === 'string' ? addressOf(settings.url, `${base}/url`) : null;
  const old = before?.connection.document;
  if (address?.secretPath != null)
    throw unprocessable([{ path: `${base}/url`, message: 'must not have a query' }]);
  if (address?.protocol === 'http' && settings.allow_insecure !== true)
    throw unprocessable([
      { path: `${base}/url`, message: 'must be https, or http together with allow_insecure: true' },
    ]);
  const place = address ?? old ?? {};
  const { protocol, host, port } = place as Config;
  const basePath =
    sink === 'elasticsearch' && address !== null && address.path !== '/'
      ? address.path.replace(/\/+$/, '')
      : undefined;
  const { allow_insecure, allow_cidrs, timeout_ms, token, user, password, api_key } = settings;
  if (password !== undefined && api_key !== undefined)
    throw unprocessable([{ path: `${base}/api_key`, message: 'cannot be set together with a password' }]);
  const auth =
    sink === 'splunk-hec'
      ? { type: 'splunk' }
      : user !== undefined
        ? { type: 'basic', username: user }
        : api_key === undefined
          ? old?.auth
          : undefined;
  const value = (text: unknown) => (text === undefined ? undefined : { value: text });
  return {
    type: 'http',
    ...defined({
      protocol,
      host,
      port,
      base_path: basePath ?? (address === null ? old?.base_path : undefined),
      allow_insecure,
      allow_cidrs,
      timeout_ms,
      auth,
    }),
    ...tlsOf(settings, base),
    secrets: defined({
      token: value(token ?? api_key),
      password: api_key === undefined ? value(password) : null,
    }),
  };
}

function tlsOf({ tls: given }: Config, base: string): Config {
  if (given === undefined) return {};
  const { ca_cert, verify, servername } = given as {
    ca_cert?: string;
    verify?: boolean;
    servername?: string;
  };
  return {
    tls: defined({
      verify,
      servername,
      ca: ca_cert === undefined ? undefined : pemOf(ca_cert, `${base}/tls/ca_cert`),
    }),
  };
}

/** PEM of a certificate that is PEM, or base64 of PEM, or base64 of DER. */
function pemOf(text: string, path: string): string {
  if (text.startsWith('-----BEGIN ')) return text;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('latin1', 0, 11) === '-----BEGIN ') return bytes.toString('latin1');
  // DER: a SEQUENCE with a length of two bytes.
  if (bytes[0] !== 0x30 || bytes[1] !== 0x82)
    throw unprocessable([{ path, message: 'must be a certificate: PEM, or base64 of PEM or DER' }]);
  return `-----BEGIN CERTIFICATE-----\n${bytes
    .toString('base64')
    .replace(/(.{64})/g, '$1\n')
    .trimEnd()}\n-----END CERTIFICATE-----\n`;
}

/** Fields of the two documents as settings of a body. */
export function siemPath(body: Config): (path: string) => string {
  const base = body.config === undefined ? '' : '/config';
  if (body.type === 'webhook') return (path) => base + webhookPath(path);
  return (path) => {
    const names: Readonly<Record<string, string>> = {
      '/secrets/token/value': '/token',
      '/secrets/token': '/token',
      '/secrets/password/value': '/password',
      '/secrets/password': '/password',
      '/auth/username': '/user',
      '/base_path': '/url',
      '/allow_insecure': '/allow_insecure',
      '/tls/ca': '/tls/ca_cert',
      '/params/path': '/url',
      '/protocol': '/protocol',
    };
    return base + (names[path] ?? path.replace(/^\/params\//, '/'));
  };
}
