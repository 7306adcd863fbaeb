// Error codes of the Kafka protocol that decide what we do, and how the client's errors become LogError.
//
// Source: kafka.apache.org/protocol#protocol_error_codes
import { LogError } from '@tocsin/topologies/ports/log.ts';
import { describe } from '../core/describe.ts';

export { describe };

export const NONE = 0;
export const OFFSET_OUT_OF_RANGE = 1;
export const COORDINATOR_LOAD_IN_PROGRESS = 14;
export const COORDINATOR_NOT_AVAILABLE = 15;
export const NOT_COORDINATOR = 16;
export const ILLEGAL_GENERATION = 22;
export const UNKNOWN_MEMBER_ID = 25;
export const REBALANCE_IN_PROGRESS = 27;
export const TOPIC_ALREADY_EXISTS = 36;
export const OUT_OF_ORDER_SEQUENCE = 45;
export const DUPLICATE_SEQUENCE = 46;
export const INVALID_PRODUCER_EPOCH = 47;
export const UNKNOWN_PRODUCER_ID = 59;
export const MEMBER_ID_REQUIRED = 79;
export const FENCED_INSTANCE_ID = 82;

/** Codes after which the same request may succeed, possibly elsewhere (retriable in kafka's Errors.java). */
const RETRIABLE = new Set([
  2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 27, 41, 51, 56, 59, 60, 72, 74, 75, 76, 78, 80, 89, 100, 103,
]);
/** Codes that no retry heals: credentials, rights, group identity taken over, message too large. */
const LOST_MEMBERSHIP = new Set([ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID]);

interface ClientError {
  readonly errors?: readonly { readonly apiCode?: number }[];
  readonly apiCode?: number;
  readonly response?: unknown;
  readonly code?: string;
  readonly message: string;
  readonly cause?: unknown;
}

/** First protocol error code in an error of the client, or null when it is no protocol error. */
export function protocolCode(error: unknown): number | null {
  if (error === null || typeof error !== 'object') return null;
  const { apiCode, errors } = error as ClientError;
  if (typeof apiCode === 'number') return apiCode;
  for (const inner of errors ?? []) {
    const code = protocolCode(inner);
    if (code !== null) return code;
  }
  return null;
}

/** The parsed response that came with a protocol error. */
export function responseOf<T>(error: unknown): T | null {
  return ((error as ClientError | null)?.response as T | undefined) ?? null;
}

export function isRetriableCode(code: number): boolean {
  return RETRIABLE.has(code);
}

export function isLostMembership(code: number): boolean {
  return LOST_MEMBERSHIP.has(code);
}

/** A refused credential or a broker that speaks another protocol: no retry heals it. */
export function isFatalConnectionError(error: unknown): boolean {
  for (let current: unknown = error, depth = 0; current && depth < 6; depth++) {
    const { code, cause } = current as ClientError;
    if (code === 'PLT_KFK_AUTHENTICATION' || code === 'PLT_KFK_USER') return true;
    if (
      typeof code === 'string' &&
      /^(ERR_TLS_CERT|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_)/.test(code)
    )
      return true;
    if (
      Array.isArray((current as ClientError).errors) &&
      (current as ClientError).errors!.some(isFatalConnectionError)
    )
      return true;
    current = cause;
  }
  return false;
}

export function toLogError(what: string, error: unknown): LogError {
  if (error instanceof LogError) return error;
  const code = protocolCode(error);
  const retriable =
    code === null ? !isFatalConnectionError(error) : isRetriableCode(code) || isLostMembership(code);
  return new LogError(`${what}: ${describe(error)}`, { retriable, cause: error });
}

export function codeError(what: string, code: number, detail?: string | null): LogError {
  return new LogError(`${what}: Kafka error ${code}${detail ? ` (${detail})` : ''}`, {
    retriable: isRetriableCode(code),
  });
}
