// Environment to settings: every variable, and errors that name it without showing a secret.
import { expect, it } from 'vitest';
import { LogSettingsError, parseLogSettings } from './settings.ts';

const PEM = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----';

it('needs brokers only', () => {
  expect(
    parseLogSettings({ KAFKA_BROKERS: 'a:9092, [::1]:9093', KAFKA_SASL_USERNAME: '' }, 'evaluator'),
  ).toEqual({
    client: 'platformatic',
    brokers: ['a:9092', '[::1]:9093'],
    clientId: 'evaluator',
    onOffsetOutOfRange: 'stop',
  });
});

it('reads everything', () => {
  const env = {
    KAFKA_BROKERS: 'a:1',
    KAFKA_CLIENT: 'kafkajs',
    KAFKA_CLIENT_ID: 'me',
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    KAFKA_SASL_USERNAME: 'user',
    KAFKA_SASL_PASSWORD: ' spaces matter ',
    KAFKA_TLS: 'true',
    KAFKA_TLS_CA: PEM,
    KAFKA_TLS_SERVERNAME: 'kafka.example',
    KAFKA_OFFSET_OUT_OF_RANGE: 'earliest',
    KAFKA_SESSION_TIMEOUT_MS: '6000',
    KAFKA_INSTANCE_ID: 'actions-1',
  };
  expect(parseLogSettings(env, 'x')).toEqual({
    client: 'kafkajs',
    brokers: ['a:1'],
    clientId: 'me',
    onOffsetOutOfRange: 'earliest',
    sessionTimeoutMs: 6000,
    instanceId: 'actions-1',
    tls: { ca: PEM, servername: 'kafka.example' },
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'user', password: ' spaces matter ' },
  });
  expect(parseLogSettings({ KAFKA_BROKERS: 'a:1', KAFKA_TLS: 'true' }, 'x').tls).toEqual({});
  expect(
    parseLogSettings({ KAFKA_BROKERS: 'a:1', KAFKA_TLS: 'false', KAFKA_TLS_CA: PEM }, 'x').tls,
  ).toBeUndefined();
  const container = { KAFKA_BROKERS: 'a:1', KAFKA_INSTANCE_ID: 'hostname', HOSTNAME: 'b0ac54dd' };
  expect(parseLogSettings(container, 'x').instanceId).toBe('b0ac54dd');
});

it.each([
  ['KAFKA_BROKERS', {}],
  ['KAFKA_BROKERS', { KAFKA_BROKERS: ' , ' }],
  ['KAFKA_BROKERS', { KAFKA_BROKERS: 'localhost' }],
  ['KAFKA_BROKERS', { KAFKA_BROKERS: 'http://a:9092' }],
  ['KAFKA_BROKERS', { KAFKA_BROKERS: 'a:99999' }],
  ['KAFKA_CLIENT', { KAFKA_CLIENT: 'librdkafka' }],
  ['KAFKA_TLS', { KAFKA_TLS: 'yes' }],
  ['KAFKA_TLS_CA', { KAFKA_TLS_CA: '/etc/ca.pem' }],
  ['KAFKA_TLS_KEY', { KAFKA_TLS_CERT: PEM }],
  ['KAFKA_SASL_MECHANISM', { KAFKA_SASL_MECHANISM: 'GSSAPI' }],
  ['KAFKA_SASL_MECHANISM', { KAFKA_SASL_USERNAME: 'a', KAFKA_SASL_PASSWORD: 'secret' }],
  ['KAFKA_SASL_USERNAME', { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_PASSWORD: 'secret' }],
  ['KAFKA_SASL_PASSWORD', { KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SASL_USERNAME: 'a' }],
  ['KAFKA_OFFSET_OUT_OF_RANGE', { KAFKA_OFFSET_OUT_OF_RANGE: 'latest' }],
  ['KAFKA_SESSION_TIMEOUT_MS', { KAFKA_SESSION_TIMEOUT_MS: '10s' }],
  ['KAFKA_SESSION_TIMEOUT_MS', { KAFKA_SESSION_TIMEOUT_MS: '300001' }],
  ['KAFKA_INSTANCE_ID', { KAFKA_INSTANCE_ID: 'a/b' }],
  ['KAFKA_INSTANCE_ID', { KAFKA_INSTANCE_ID: '..' }],
  ['KAFKA_INSTANCE_ID', { KAFKA_INSTANCE_ID: 'x'.repeat(250) }],
  ['KAFKA_INSTANCE_ID', { KAFKA_INSTANCE_ID: 'hostname' }],
])('%s is refused in %j', (variable, env) => {
  const base: Record<string, string> = variable === 'KAFKA_BROKERS' ? {} : { KAFKA_BROKERS: 'a:1' };
  try {
    parseLogSettings({ ...base, ...env }, 'x');
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(LogSettingsError);
    expect((error as LogSettingsError).variable).toBe(variable);
    expect((error as Error).message).not.toContain('secret');
  }
});
