// The HTTP application: limits, the one error shape, keys, routes. It opens nothing itself; main.ts hands it its stores.
//
// Invariant: nothing about a request is coerced, defaulted or removed, and every route says who may use it.
import fastifyRateLimit from '@fastify/rate-limit';
import { compileCheck, type JsonSchema } from '@tocsin/schemas/codecs/validate.ts';
import Fastify, { type FastifyInstance } from 'fastify';
import { type RouteAccess, requireKeys } from './auth.ts';
import type { Dependencies } from './dependencies.ts';
import { ApiError, badRequest, errorBody, handleError, notFound, sendError, toApiError } from './errors.ts';
import { maxBodyBytes, readJsonBodies } from './json-body.ts';
import { approvalRoutes } from './routes/approvals.ts';
import { approvePageRoutes } from './routes/approve-page.ts';
import { auditRoutes } from './routes/audit.ts';
import { connectionTestRoutes } from './routes/connection-test.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { deadLetterOperateRoutes } from './routes/dead-letters-operate.ts';
import { serveDocs } from './routes/docs.ts';
import { documentRoutes } from './routes/documents.ts';
import { eventStreamRoutes } from './routes/event-stream.ts';
import { healthRoutes } from './routes/health.ts';
import { historyRoutes } from './routes/history.ts';
import { incidentRoutes } from './routes/incidents.ts';
import { keyRoutes } from './routes/keys.ts';
import { lagRoutes } from './routes/lag.ts';
import { mitreRoutes } from './routes/mitre.ts';
import { riskRoutes } from './routes/risk.ts';
import { ruleExplainRoutes } from './routes/rule-explain.ts';
import { runOperateRoutes } from './routes/run-operate.ts';
import { runStartRoutes } from './routes/run-start.ts';
import { runVerbRoutes } from './routes/run-verbs.ts';
import { runRoutes } from './routes/runs.ts';
import { secretRoutes } from './routes/secrets.ts';
import { siemRoutes } from './routes/siem.ts';
import { templatePreviewRoutes } from './routes/template-preview.ts';
import { typeRoutes } from './routes/types.ts';
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { createRunInputs } from './run-inputs.ts';
import { createSinkCalls } from './sink-calls.ts';

export interface App {
  readonly http: FastifyInstance;
  /** Every route with what it needs; complete after `ready`. */
  readonly routes: readonly RouteAccess[];
}

export interface AppSettings {
  /** Requests per minute and client address; default 6,000. */
  readonly rateLimit?: number;
  readonly requestTimeoutMs?: number;
  /** Longest wait for what becomes of a decision at a gate, ms; default 2,000. */
  readonly decisionWaitMs?: number;
  /** Longest wait for what becomes of a test or a redelivery of a sink, or of a test of a connection, ms; default 20,000. */
  readonly testWaitMs?: number;
  /** Requests per minute and client address for the pages of approval links; default 60. */
  readonly linkRateLimit?: number;
}

export async function createApp(dependencies: Dependencies, settings: AppSettings = {}): Promise<App> {
  const requestTimeout = settings.requestTimeoutMs ?? 30_000;
  const http = Fastify({
    bodyLimit: maxBodyBytes,
    requestTimeout,
    connectionTimeout: 60_000,
    keepAliveTimeout: 72_000,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    // An unknown id is answered like any other that does not exist, however long it is.
    routerOptions: { maxParamLength: 8_192 },
    // Node looks for overdue requests only every 30 s unless told otherwise.
    http: {
      maxHeaderSize: 16 * 1024,
      requestTimeout,
      headersTimeout: requestTimeout,
      connectionsCheckingInterval: 500,
    },
    frameworkErrors: (error, _request, reply) =>
      sendError(toApiError(error) ?? new ApiError(400, 'bad_request', 'the request is malformed'), reply),
    clientErrorHandler: answerClientError,
  });
  http.setErrorHandler(handleError((message, fields) => dependencies.logger.error(message, fields)));
  // Many routes share a schema, and compiling is what the start of this service spends its time on.
  const checks = new Map<string, ReturnType<typeof compileCheck>>();
  http.setValidatorCompiler(({ schema }) => {
    const text = JSON.stringify(schema);
    const check = checks.get(text) ?? compileCheck(schema as JsonSchema);
    checks.set(text, check);
    return (value: unknown) => {
      const issues = check(value);
      return issues.length === 0 ? { value } : { error: badRequest(issues) };
    };
  });
  // Answers are written as they are: a serializer made from a schema drops and coerces in silence.
  http.setSerializerCompiler(() => (data) => JSON.stringify(data));
  http.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer');
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });

  // Before the keys: a flood of wrong ones must be cheap. As a hook of the application, because the plugin's own hooks
  // belong to routes and would come after it.
  await http.register(fastifyRateLimit, { global: false });
  http.addHook(
    'onRequest',
    http.rateLimit({
      max: settings.rateLimit ?? 6_000,
      timeWindow: 60_000,
      errorResponseBuilder: (_request, context) =>
        new ApiError(429, 'rate_limited', `more than ${context.max} requests a minute`, {
          headers: { 'retry-after': String(Math.max(1, Math.ceil(context.ttl / 1000))) },
        }),
    }),
  );
  const routes = requireKeys(http, dependencies.keyring);
  http.setNotFoundHandler((_request, reply) => sendError(notFound(), reply));
  readJsonBodies(http);
  await serveDocs(http);
  const inputs = createRunInputs(dependencies.store, dependencies.producer);
  const deciding = { runs: dependencies.runs, inputs, waitMs: settings.decisionWaitMs ?? 2_000 };
  const testWaitMs = settings.testWaitMs ?? 20_000;
  const calls = createSinkCalls(dependencies, testWaitMs);
  await http.register(async (scope) => {
    healthRoutes(scope, dependencies);
    documentRoutes(scope, dependencies);
    connectionTestRoutes(scope, dependencies, testWaitMs);
    ruleExplainRoutes(scope, dependencies);
    secretRoutes(scope, dependencies);
    keyRoutes(scope, dependencies);
    typeRoutes(scope, dependencies);
    historyRoutes(scope, dependencies);
    lagRoutes(scope, dependencies);
    runStartRoutes(scope, dependencies, inputs);
    runRoutes(scope, dependencies);
    runVerbRoutes(scope, dependencies, inputs);
    runOperateRoutes(scope, dependencies, inputs);
    approvalRoutes(scope, dependencies, deciding);
    auditRoutes(scope, dependencies);
    incidentRoutes(scope, dependencies);
    riskRoutes(scope, dependencies);
    mitreRoutes(scope, dependencies);
    templatePreviewRoutes(scope, dependencies);
    eventStreamRoutes(scope, dependencies);
    deadLetterRoutes(scope, dependencies);
    deadLetterOperateRoutes(scope, dependencies);
    webhookRoutes(scope, dependencies, calls);
    webhookDeliveryRoutes(scope, dependencies, calls);
    siemRoutes(scope, dependencies, calls);
  });
  await http.register(async (scope) => {
    approvePageRoutes(scope, dependencies, deciding, settings.linkRateLimit ?? 60);
  });
  return { http, routes };
}

// Requests that never become requests: bad framing, too large headers, too slow.
function answerClientError(error: Error & { code?: string }, socket: import('node:net').Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const known = toApiError(Object.assign(new Error(), { statusCode: status })) as ApiError;
  const body = JSON.stringify(errorBody(known));
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
