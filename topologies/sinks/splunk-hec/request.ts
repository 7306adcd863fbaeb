// The HTTP requests of the HEC sink: events, questions for acknowledgements, health probe. Pure.
//
// Surprise: the raw endpoint wants a channel even of tokens without acknowledgement (code 10); there it may be any, so it follows
// from the connection.
import { createHash } from 'node:crypto';
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { httpTarget } from '../../domain/action/http-target.ts';
import { SinkConfigError } from '../../domain/sink/define-sink.ts';
import type { HttpRequest } from '../../ports/http.ts';
import type { SplunkHecParams } from './manifest.ts';

export interface HecRequests {
  readonly origins: readonly string[];
  request(body: Buffer): HttpRequest;
  probe(): HttpRequest;
  acks(channel: string, ids: readonly number[]): HttpRequest;
}

const defaultPort = 8088;
const collector = '/services/collector';
export const maxAckBytes = 64 * 1024;

/** Compiles connection and parameters. Throws SinkConfigError when they cannot make a request. */
export function hecRequests(params: SplunkHecParams, connection: ResolvedConnection): HecRequests {
  const { config } = connection;
  if (config.type !== 'http') throw new SinkConfigError(`connection ${config.id} is not an HTTP connection`);
  const ownAuth = config.auth === undefined || config.auth.type === 'none' || config.auth.type === 'splunk';
  const target = httpTarget({
    config: {
      ...config,
      port: config.port ?? defaultPort,
      ...(ownAuth ? { auth: { type: 'none' as const } } : {}),
    },
    secrets: connection.secrets,
  });
  if ('status' in target)
    throw new SinkConfigError(target.detail, target.code === 'secret' ? 'secret' : 'connection');
  const authorization = ownAuth
    ? [['authorization', splunkToken(connection)] as const]
    : target.authorization;
  const path = joinPath(target.basePath, params.path ?? `${collector}/${params.endpoint ?? 'event'}`);
  const common = {
    timeoutMs: config.timeout_ms ?? 30_000,
    allowCidrs: target.allowCidrs,
    maxResponseBytes: 16_384,
    ...(target.tls === undefined ? {} : { tls: target.tls }),
  };
  const isRaw = params.endpoint === 'raw';
  const headers = [
    ...authorization,
    ['content-type', isRaw ? 'text/plain; charset=utf-8' : 'application/json'] as const,
    ...(isRaw && params.ack !== true
      ? [['x-splunk-request-channel', channelOf(`${config.id}/${target.origin}`)] as const]
      : []),
    ...(params.gzip === true ? [['content-encoding', 'gzip'] as const] : []),
  ];
  const url = `${target.origin}${path}${isRaw ? rawQuery(params) : ''}`;
  const healthUrl = `${target.origin}${besides(path, 'health/1.0')}`;
  const ackUrl = `${target.origin}${besides(path, 'ack')}`;
  return {
    origins: target.origins,
    acks: (channel, ids) => ({
      ...common,
      maxResponseBytes: maxAckBytes,
      method: 'POST',
      url: ackUrl,
      headers: [
        ...authorization,
        ['content-type', 'application/json'],
        ['x-splunk-request-channel', channel],
      ],
      body: JSON.stringify({ acks: ids }),
      timeoutMs: Math.min(common.timeoutMs, 30_000),
    }),
    request: (body) => ({ ...common, method: 'POST', url, headers, body }),
    probe: () => ({
      ...common,
      method: 'GET',
      url: healthUrl,
      headers: authorization,
      timeoutMs: Math.min(common.timeoutMs, 10_000),
    }),
  };
}

// Operators paste the token with or without its scheme.
function splunkToken(connection: ResolvedConnection): string {
  const token = connection.secrets.token
    ?.reveal()
    .trim()
    .replace(/^splunk\s+/i, '');
  if (token === undefined || token === '')
    throw new SinkConfigError(`connection ${connection.config.id}: secrets.token is missing`, 'secret');
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new SinkConfigError(
      `connection ${connection.config.id}: secrets.token does not fit in a header`,
      'secret',
    );
  return `Splunk ${token}`;
}

// A base path that repeats (the start of) the path is taken once.
function joinPath(base: string, path: string): string {
  if (base === '' || path === base || path.startsWith(`${base}/`)) return path;
  return base.endsWith(path) ? base : `${base}${path}`;
}

// Another path of the collector that `path` belongs to.
function besides(path: string, name: string): string {
  const at = path.lastIndexOf(collector);
  return `${at < 0 ? '' : path.slice(0, at)}${collector}/${name}`;
}

// The metadata of all events of a request.
function rawQuery({ source = 's4e', sourcetype = '_json', index, host }: SplunkHecParams): string {
  const query = new URLSearchParams({ source, sourcetype });
  if (index !== undefined) query.set('index', index);
  if (host !== undefined) query.set('host', host);
  return `?${query.toString()}`;
}

function channelOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
