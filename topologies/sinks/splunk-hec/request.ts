// The HTTP requests of the HEC sink: events and health probe. Pure.

import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { httpTarget } from '../../domain/action/http-target.ts';
import { SinkConfigError } from '../../domain/sink/define-sink.ts';
import type { HttpRequest } from '../../ports/http.ts';
import type { SplunkHecParams } from './manifest.ts';

export interface HecRequests {
  request(body: Buffer): HttpRequest;
  probe(): HttpRequest;
}

const defaultPort = 8088;
const defaultPath = '/services/collector/event';

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
  const path = joinPath(target.basePath, params.path ?? defaultPath);
  const common = {
    timeoutMs: config.timeout_ms ?? 30_000,
    allowCidrs: target.allowCidrs,
    maxResponseBytes: 16_384,
    ...(target.tls === undefined ? {} : { tls: target.tls }),
  };
  const headers = [
    ...authorization,
    ['content-type', 'application/json'] as const,
    ...(params.gzip === true ? [['content-encoding', 'gzip'] as const] : []),
  ];
  const url = `${target.origin}${path}`;
  const healthUrl = `${target.origin}${healthPath(path)}`;
  return {
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

function healthPath(path: string): string {
  const at = path.lastIndexOf('/services/collector');
  return `${at < 0 ? '' : path.slice(0, at)}/services/collector/health/1.0`;
}
