// The HTTP requests of the Elasticsearch sink: _bulk and probe. Pure.
import type { ResolvedConnection } from '../../domain/action/define-action.ts';
import { httpTarget } from '../../domain/action/http-target.ts';
import { SinkConfigError } from '../../domain/sink/define-sink.ts';
import type { HttpRequest } from '../../ports/http.ts';
import type { ElasticsearchParams } from './manifest.ts';

export interface BulkRequests {
  readonly origins: readonly string[];
  request(body: Buffer): HttpRequest;
  probe(): HttpRequest;
}

const defaultPort = 9200;
/** Statuses of all items keep their positions; of errors no more than is shown. The rest of an answer is some 200 bytes an event. */
const answerFields = 'errors,items.*.status,items.*.error.type,items.*.error.reason';
/** An error takes some 300 bytes; whoever needs more gets smaller requests (judge.ts). */
export const maxAnswerBytes = 16 * 1_048_576;

/** Compiles connection and parameters; `index` goes into the URL. Throws SinkConfigError when they cannot make a request. */
export function bulkRequests(
  params: ElasticsearchParams,
  index: string | null,
  connection: ResolvedConnection,
): BulkRequests {
  const { config, secrets } = connection;
  if (config.type !== 'http') throw new SinkConfigError(`connection ${config.id} is not an HTTP connection`);
  if (secrets.password?.reveal() === 'changeme')
    throw new SinkConfigError(
      `connection ${config.id}: secrets.password is the one from the manual; choose another`,
    );
  const target = httpTarget({ config: { ...config, port: config.port ?? defaultPort }, secrets });
  if ('status' in target)
    throw new SinkConfigError(target.detail, target.code === 'secret' ? 'secret' : 'connection');
  const authorization =
    target.authorization.length > 0 || secrets.token === undefined
      ? target.authorization
      : [['authorization', apiKey(connection)] as const];
  const common = {
    timeoutMs: config.timeout_ms ?? 60_000,
    allowCidrs: target.allowCidrs,
    maxResponseBytes: maxAnswerBytes,
    ...(target.tls === undefined ? {} : { tls: target.tls }),
  };
  const query = [
    `filter_path=${answerFields}`,
    ...(params.pipeline === undefined ? [] : [`pipeline=${params.pipeline}`]),
    ...(params.routing === undefined ? [] : [`routing=${params.routing}`]),
  ].join('&');
  const base = `${target.origin}${target.basePath}`;
  const url = `${base}${index === null ? '' : `/${encodeURIComponent(index)}`}/_bulk?${query}`;
  const headers = [
    ...authorization,
    // With a charset Elasticsearch answers 406 (elastic/elasticsearch#61637).
    ['content-type', 'application/x-ndjson'] as const,
    ...(params.gzip === true ? [['content-encoding', 'gzip'] as const] : []),
  ];
  return {
    origins: target.origins,
    request: (body) => ({ ...common, method: 'POST', url, headers, body }),
    probe: () => ({
      ...common,
      method: 'GET',
      url: `${base}/`,
      headers: authorization,
      timeoutMs: Math.min(common.timeoutMs, 10_000),
    }),
  };
}

// As the server shows it, base64 of id:key; or these two themselves.
function apiKey({ config, secrets }: ResolvedConnection): string {
  const given = (secrets.token?.reveal() ?? '').trim().replace(/^apikey\s+/i, '');
  if (!/^[\x21-\x7e]+$/.test(given))
    throw new SinkConfigError(`connection ${config.id}: secrets.token is no API key`, 'secret');
  return `ApiKey ${given.includes(':') ? Buffer.from(given).toString('base64') : given}`;
}
