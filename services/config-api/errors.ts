// Every answer that is not a success: one shape, `{error: {code, message, issues: [{path, message}]}}`.
//
// Invariant: no stack, no SQL, no name of an internal host leaves; what is not known here is logged and answered as 500.

import { AccessDenied } from '@tocsin/adapters/postgres/access.ts';
import { ConfigConflict } from '@tocsin/adapters/postgres/config-store.ts';
import { isUnavailable } from '@tocsin/adapters/postgres/errors.ts';
import { IncidentRefused } from '@tocsin/adapters/postgres/incident-desk.ts';
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { LogError } from '@tocsin/topologies/ports/log.ts';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;
  readonly issues: readonly Issue[];
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    code: string,
    message: string,
    more: { readonly issues?: readonly Issue[]; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.issues = more.issues ?? [];
    this.headers = more.headers ?? {};
  }
}

/** The body does not fit its schema; `issues` name the fields. */
export function badRequest(
  issues: readonly Issue[],
  message = 'the request does not fit its schema',
): ApiError {
  return new ApiError(400, 'validation', message, { issues });
}

/** The body fits its schema and still cannot be accepted. */
export function unprocessable(issues: readonly Issue[], code = 'invalid'): ApiError {
  return new ApiError(422, code, issues[0]?.message ?? 'cannot be accepted', { issues });
}

/** The same answer for what does not exist, may not be seen, or could not be an id at all. */
export function notFound(): ApiError {
  return new ApiError(404, 'not_found', 'no such resource');
}

export function unavailable(): ApiError {
  return new ApiError(503, 'unavailable', 'a store cannot be reached now; try again', {
    headers: { 'retry-after': '2' },
  });
}

const conflictStatus = { exists: 409, referenced: 409, not_found: 404, stale: 412 } as const;

const frameworkCodes: Readonly<Record<number, string>> = {
  400: 'bad_request',
  408: 'timeout',
  413: 'too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  431: 'headers_too_large',
};

// The framework's own messages for these repeat what the client sent or name its parts.
const frameworkMessages: Readonly<Record<number, string>> = {
  400: 'the request is malformed',
  408: 'the request took too long',
  413: 'the body is larger than 262144 bytes',
  414: 'the URL is too long',
  415: 'send Content-Type: application/json',
};

/** What to answer for anything thrown; null when it is a defect. */
export function toApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  if (error instanceof ConfigConflict) {
    if (error.code === 'not_found') return notFound();
    return new ApiError(conflictStatus[error.code], error.code, error.message);
  }
  if (error instanceof IncidentRefused) {
    const { code, message, path } = error;
    if (code === 'not_found') return notFound();
    if (code === 'invalid') return unprocessable([{ path, message }]);
    return new ApiError(code === 'stale' ? 412 : 409, code, message, {
      issues: path === '' ? [] : [{ path, message }],
    });
  }
  if (error instanceof AccessDenied) return new ApiError(403, 'forbidden', error.message);
  if (isUnavailable(error) || (error instanceof LogError && error.retriable)) return unavailable();
  const status = (error as Partial<FastifyError> | null)?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    if (status === 404) return notFound();
    return new ApiError(
      status,
      frameworkCodes[status] ?? 'bad_request',
      frameworkMessages[status] ?? 'the request is refused',
    );
  }
  return null;
}

export function sendError(error: ApiError, reply: FastifyReply): FastifyReply {
  return reply.code(error.status).headers(error.headers).send(errorBody(error));
}

export function errorBody(error: ApiError): Record<string, unknown> {
  const retryAfter = error.headers['retry-after'];
  return {
    error: {
      code: error.code,
      message: error.message,
      issues: error.issues,
      ...(retryAfter === undefined ? {} : { retry_after: Number(retryAfter) }),
    },
  };
}

export function handleError(log: (message: string, fields: Record<string, unknown>) => void) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const known = toApiError(error);
    if (known !== null) return sendError(known, reply);
    log('request failed', {
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      request: request.id,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    return sendError(
      new ApiError(500, 'internal', `internal error, see the log for request ${request.id}`),
      reply,
    );
  };
}
