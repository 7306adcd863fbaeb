// kafkajs errors as LogError, and which of them a retry can heal.
import { LogError } from '@tocsin/topologies/ports/log.ts';

interface KafkaJsError {
  readonly name?: string;
  readonly type?: string;
  readonly message: string;
  readonly retriable?: boolean;
  readonly cause?: unknown;
  readonly originalError?: unknown;
}

/** Credentials, rights, certificates and requests that stay wrong however often they are sent. */
const FATAL_NAMES = new Set([
  'KafkaJSSASLAuthenticationError',
  'KafkaJSUnsupportedMagicByteInMessageSet',
  'KafkaJSNotImplemented',
]);
const FATAL_TYPES = new Set([
  'SASL_AUTHENTICATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_PARTITIONS',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_CONFIG',
  'POLICY_VIOLATION',
  'UNSUPPORTED_VERSION',
]);

/** Whether no retry can heal it; looks through the causes that kafkajs wraps around. */
export function isFatal(error: unknown): boolean {
  for (let current: unknown = error, depth = 0; current && depth < 6; depth++) {
    const { name = '', type = '', message, cause, originalError } = current as KafkaJsError;
    if (FATAL_NAMES.has(name) || FATAL_TYPES.has(type)) return true;
    if (/self-signed certificate|unable to verify|certificate has expired|ERR_TLS_CERT/.test(message))
      return true;
    current = cause ?? originalError;
  }
  return false;
}

export function toLogError(what: string, error: unknown): LogError {
  if (error instanceof LogError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new LogError(`${what}: ${message}`, { retriable: !isFatal(error), cause: error });
}
