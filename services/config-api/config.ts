// Settings of the config API; the only place here that reads the environment.
import { type LogSettings, parseLogSettings } from '@tocsin/adapters/log/settings.ts';
import type { ServiceSettings } from '@tocsin/adapters/service/run-service.ts';
import { integer, required, serviceSettings } from '@tocsin/adapters/service/settings.ts';
import { type StreamLimits, streamLimits } from '@tocsin/topologies/run/event-stream/stream-hub.ts';

export interface ConfigApiConfig {
  /** Metrics and health for machines, on HEALTH_PORT; people and tools use `http`. */
  readonly service: ServiceSettings;
  readonly log: LogSettings;
  readonly databaseUrl: string;
  readonly http: { readonly host: string; readonly port: number };
  /** Keyring that encrypts stored secrets. */
  readonly keyringFile: string;
  /** Where the first admin key is written, once, on an empty database. */
  readonly firstKeyFile: string;
  readonly configDir: string | null;
  /** Requests per minute and client address. */
  readonly rateLimit: number;
  /** Dead letters sent again in a second, over all requests. */
  readonly redrivePerSecond: number;
  /** Bounds of the event stream. */
  readonly stream: Pick<StreamLimits, 'clients' | 'clientsPerKey' | 'ringBytes'>;
  /** Where people reach this API, without a slash at the end; null: links of approvals are paths. */
  readonly publicUrl: string | null;
}

export function readConfig(): ConfigApiConfig {
  const api = serviceSettings('config-api', process.env);
  return {
    service: { ...api, port: integer(process.env, 'HEALTH_PORT', 0, { min: 0, max: 65_535 }) },
    log: parseLogSettings(process.env, 'tocsin-config-api'),
    databaseUrl: required(process.env, 'DATABASE_URL', 'where the configuration is stored'),
    http: { host: api.host, port: api.port },
    keyringFile: required(process.env, 'SECRETS_KEY_FILE', 'the keyring that encrypts stored secrets'),
    firstKeyFile: required(process.env, 'BOOTSTRAP_KEY_FILE', 'where the first admin key is written'),
    configDir: process.env['CONFIG_DIR'] || null,
    rateLimit: integer(process.env, 'RATE_LIMIT_PER_MINUTE', 6_000, { min: 1, max: 10_000_000 }),
    redrivePerSecond: integer(process.env, 'REDRIVE_PER_SECOND', 100, { min: 1, max: 100_000 }),
    stream: {
      clients: integer(process.env, 'STREAM_CLIENTS', streamLimits.clients, { min: 0, max: 100_000 }),
      clientsPerKey: integer(process.env, 'STREAM_CLIENTS_PER_KEY', streamLimits.clientsPerKey, {
        min: 0,
        max: 100_000,
      }),
      ringBytes: integer(process.env, 'STREAM_BUFFER_BYTES', streamLimits.ringBytes, {
        min: 65_536,
        max: 4_294_967_296,
      }),
    },
    publicUrl: publicUrlOf(process.env['APPROVAL_URL']),
  };
}

function publicUrlOf(text: string | undefined): string | null {
  if (text === undefined || text === '') return null;
  const url = URL.parse(text);
  if (url === null || !['https:', 'http:'].includes(url.protocol) || url.search !== '' || url.hash !== '')
    throw new Error('APPROVAL_URL must be an http or https address, such as https://tocsin.example.org');
  return url.href.replace(/\/+$/, '');
}
