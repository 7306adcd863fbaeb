// Log settings from environment variables: a pure function, so that every service reads them the same way.
//
// Surprise: an empty variable counts as not set (compose files write `KAFKA_SASL_USERNAME=`).
import type { LogConnection, SaslMechanism, TlsSettings } from './core/settings.ts';

export type LogClientName = 'platformatic' | 'kafkajs';

export interface LogSettings extends LogConnection {
  readonly client: LogClientName;
  /** How long a group waits for a member that died before others take its partitions, ms; default of the client without it. */
  readonly sessionTimeoutMs?: number;
  /** Name of this process in each of its groups, for static membership; none by default, and without effect on kafkajs. */
  readonly instanceId?: string;
}

/** A variable is missing or has a value that means nothing. The message names it and never shows a secret. */
export class LogSettingsError extends Error {
  readonly variable: string;
  constructor(variable: string, message: string) {
    super(`${variable}: ${message}`);
    this.name = 'LogSettingsError';
    this.variable = variable;
  }
}

const MECHANISMS: readonly SaslMechanism[] = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'];

/**
 * @param env KAFKA_BROKERS (required, `host:port` separated by commas), KAFKA_CLIENT (platformatic or kafkajs),
 *   KAFKA_CLIENT_ID, KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD, KAFKA_TLS (true or false),
 *   KAFKA_TLS_CA, KAFKA_TLS_CERT, KAFKA_TLS_KEY (PEM text), KAFKA_TLS_SERVERNAME, KAFKA_OFFSET_OUT_OF_RANGE (stop or earliest),
 *   KAFKA_SESSION_TIMEOUT_MS (1,000 to 300,000, within what the brokers allow), KAFKA_INSTANCE_ID (letters, digits,
 *   dots, dashes, underscores; `hostname` takes HOSTNAME)
 * @throws LogSettingsError
 */
export function parseLogSettings(
  env: Readonly<Record<string, string | undefined>>,
  clientId: string,
): LogSettings {
  const read = (name: string) =>
    env[name] === undefined || env[name].trim() === '' ? undefined : env[name].trim();
  const client = read('KAFKA_CLIENT') ?? 'platformatic';
  if (client !== 'platformatic' && client !== 'kafkajs')
    throw new LogSettingsError('KAFKA_CLIENT', 'must be platformatic or kafkajs');
  const policy = read('KAFKA_OFFSET_OUT_OF_RANGE') ?? 'stop';
  if (policy !== 'stop' && policy !== 'earliest')
    throw new LogSettingsError('KAFKA_OFFSET_OUT_OF_RANGE', 'must be stop or earliest');
  const session = read('KAFKA_SESSION_TIMEOUT_MS');
  if (session !== undefined && !(/^\d{4,6}$/.test(session) && Number(session) <= 300_000))
    throw new LogSettingsError('KAFKA_SESSION_TIMEOUT_MS', 'must be a whole number from 1000 to 300000');
  const instanceId = parseInstanceId(read);
  const tls = parseTls(read);
  const sasl = parseSasl(read, env['KAFKA_SASL_PASSWORD']);
  return {
    client,
    brokers: parseBrokers(read('KAFKA_BROKERS')),
    clientId: read('KAFKA_CLIENT_ID') ?? clientId,
    onOffsetOutOfRange: policy,
    ...(session === undefined ? {} : { sessionTimeoutMs: Number(session) }),
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function parseBrokers(value: string | undefined): string[] {
  const brokers = (value ?? '')
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '');
  if (brokers.length === 0)
    throw new LogSettingsError('KAFKA_BROKERS', 'names no broker; expected host:port, separated by commas');
  for (const broker of brokers) {
    const port = Number(/^(?:\[[0-9a-fA-F:]+\]|[^:\s/]+):(\d{1,5})$/.exec(broker)?.[1]);
    if (!(port >= 1 && port <= 65535))
      throw new LogSettingsError('KAFKA_BROKERS', `${JSON.stringify(broker)} is not host:port`);
  }
  return brokers;
}

/** Kafka allows what it allows in topic names (JoinGroupRequest.validateGroupInstanceId). */
function parseInstanceId(read: Read): string | undefined {
  const asked = read('KAFKA_INSTANCE_ID');
  const id = asked === 'hostname' ? read('HOSTNAME') : asked;
  if (asked !== undefined && id === undefined)
    throw new LogSettingsError('KAFKA_INSTANCE_ID', 'is hostname, and HOSTNAME is not set');
  if (id !== undefined && (!/^[\w.-]{1,249}$/.test(id) || /^\.{1,2}$/.test(id)))
    throw new LogSettingsError(
      'KAFKA_INSTANCE_ID',
      'must be 1 to 249 letters, digits, dots, dashes or underscores',
    );
  return id;
}

type Read = (name: string) => string | undefined;

function parseTls(read: Read): TlsSettings | undefined {
  const flag = read('KAFKA_TLS');
  if (flag !== undefined && flag !== 'true' && flag !== 'false')
    throw new LogSettingsError('KAFKA_TLS', 'must be true or false');
  const ca = read('KAFKA_TLS_CA');
  const cert = read('KAFKA_TLS_CERT');
  const key = read('KAFKA_TLS_KEY');
  const servername = read('KAFKA_TLS_SERVERNAME');
  if (flag === 'false' || (flag === undefined && ca === undefined && cert === undefined)) return undefined;
  for (const [name, pem] of [
    ['KAFKA_TLS_CA', ca],
    ['KAFKA_TLS_CERT', cert],
    ['KAFKA_TLS_KEY', key],
  ] as const) {
    if (pem !== undefined && !pem.includes('-----BEGIN '))
      throw new LogSettingsError(name, 'must hold PEM text, not a path');
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new LogSettingsError(
      cert === undefined ? 'KAFKA_TLS_CERT' : 'KAFKA_TLS_KEY',
      'certificate and key come together',
    );
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
  };
}

function parseSasl(read: Read, password: string | undefined): LogConnection['sasl'] | undefined {
  const mechanism = read('KAFKA_SASL_MECHANISM')?.toUpperCase();
  if (mechanism === undefined) {
    if (read('KAFKA_SASL_USERNAME') !== undefined)
      throw new LogSettingsError('KAFKA_SASL_MECHANISM', `must be one of ${MECHANISMS.join(', ')}`);
    return undefined;
  }
  const known = MECHANISMS.find((name) => name === mechanism);
  if (known === undefined)
    throw new LogSettingsError('KAFKA_SASL_MECHANISM', `must be one of ${MECHANISMS.join(', ')}`);
  const username = read('KAFKA_SASL_USERNAME');
  if (username === undefined)
    throw new LogSettingsError('KAFKA_SASL_USERNAME', 'is required with a SASL mechanism');
  if (password === undefined || password === '')
    throw new LogSettingsError('KAFKA_SASL_PASSWORD', 'is required with a SASL mechanism');
  return { mechanism: known, username, password };
}
