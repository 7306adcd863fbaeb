// The agent's HTTP interface, see topologies/domain/script/protocol.ts. Every route but /health wants to know who asks.
//
// Invariant: a request without a valid token or certificate learns nothing and begins nothing; tokens are compared by their digests.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { formatIssues } from '@tocsin/schemas/codecs/validate.ts';
import {
  checkRunRequest,
  maxRequestBytes,
  maxWaitMs,
  type RunRequest,
  runIdPattern,
} from '@tocsin/topologies/domain/script/protocol.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { AgentConfig } from './config.ts';
import type { Runs } from './runs.ts';

export interface AgentServer {
  readonly port: number;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

/** Rejects when the address cannot be used. */
export async function startAgentServer(options: {
  readonly config: Pick<AgentConfig, 'listen' | 'tls' | 'tokens'>;
  readonly runs: Runs;
  readonly logger: Logger;
}): Promise<AgentServer> {
  const { config, runs, logger } = options;
  const { tls, listen } = config;
  const digests = config.tokens.map(digest);

  const isKnown = ({ headers }: IncomingMessage): boolean => {
    // The handshake has let in those alone whose certificate is of the authority.
    if (digests.length === 0) return tls?.clientCa != null;
    const given = digest(/^Bearer (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? '');
    return digests.filter((each) => timingSafeEqual(each, given)).length > 0;
  };

  async function answer(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? '/', 'http://agent');
    const { method = 'GET' } = request;
    if (method === 'GET' && url.pathname === '/health') return { status: 200, body: { ok: true } };
    if (!isKnown(request)) return refusal(401, 'a valid token is required');
    const [, version, collection, id, verb, ...rest] = url.pathname.split('/');
    if (version !== 'v1' || collection !== 'runs' || rest.length > 0)
      return refusal(404, 'there is no such resource');
    if (id === undefined) return method === 'POST' ? begin(request) : refusal(405, 'POST it');
    if (!runIdPattern.test(id)) return refusal(404, 'there is no such run');
    if (verb === undefined && method === 'GET') {
      const asked = Number(url.searchParams.get('wait_ms') ?? 0);
      return stateAnswer(
        await runs.state(id, Number.isFinite(asked) ? Math.min(Math.max(0, asked), maxWaitMs) : 0),
      );
    }
    if (verb === 'cancel' && method === 'POST') return stateAnswer(await runs.cancel(id));
    return refusal(405, 'GET a run, or POST its cancel');
  }

  async function begin(request: IncomingMessage): Promise<Answer> {
    const body = await bodyOf(request);
    if (body === null) return refusal(413, `a request has at most ${maxRequestBytes} bytes`);
    const parsed = parseJson(body, { maxBytes: maxRequestBytes });
    if (!parsed.ok) return refusal(400, parsed.detail);
    const issues = checkRunRequest(parsed.value);
    if (issues.length > 0) return refusal(400, formatIssues(issues));
    const state = runs.begin(parsed.value as unknown as RunRequest);
    if ('state' in state) return { status: 200, body: state };
    logger.warn('a run is refused', { status: state.status, detail: state.detail });
    return refusal(state.status, state.detail);
  }

  const listener: RequestListener = (request, response) => {
    void answer(request)
      .catch((error: unknown) => {
        logger.error('a request failed', { error: String(error) });
        return refusal(500, 'the agent could not do it');
      })
      .then((given) => send(response, given));
  };
  const server =
    tls === null
      ? createServer(listener)
      : createTlsServer(
          {
            cert: tls.cert,
            key: tls.key,
            minVersion: 'TLSv1.2',
            ...(tls.clientCa === null
              ? {}
              : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
          },
          listener,
        );
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function stateAnswer(state: object | null): Answer {
  return state === null ? refusal(404, 'this agent has never begun this run') : { status: 200, body: state };
}

function refusal(status: number, detail: string): Answer {
  return { status, body: { detail } };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...(status === 503 ? { 'retry-after': '5' } : {}),
    // What is left of a request that was too large is not read.
    ...(status === 413 ? { connection: 'close' } : {}),
  });
  response.end(text);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > maxRequestBytes) return null;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
