// Settings of the action workers; the only place here that reads the environment.
import type { EgressSettings } from '@tocsin/adapters/http/egress-policy.ts';
import { egressSettings } from '@tocsin/adapters/http/egress-settings.ts';
import { type LogSettings, parseLogSettings } from '@tocsin/adapters/log/settings.ts';
import type { ServiceSettings } from '@tocsin/adapters/service/run-service.ts';
import {
  integer,
  list,
  oneOf,
  required,
  SettingError,
  serviceSettings,
} from '@tocsin/adapters/service/settings.ts';
import { actions } from '@tocsin/topologies/actions/registry.ts';

export interface ActionsConfig {
  readonly service: ServiceSettings;
  readonly log: LogSettings;
  readonly configDir: string | null;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  /** Types that this process carries out. */
  readonly types: readonly string[];
  /** File that the `log` action writes. */
  readonly logFile: string;
  /** Whether its lines go to standard output as well. */
  readonly logToStdout: boolean;
  /** Folder of the `report` action, and the bytes that it may hold. */
  readonly reportFolder: string;
  readonly reportMaxBytes: number;
  /** Folder of the files of the `export` action, and the bytes that it may hold. */
  readonly exportFolder: string;
  readonly exportMaxBytes: number;
  /** Keys that decrypt the secret store; null when secrets come from files and variables only. */
  readonly keyringFile: string | null;
  readonly egress: EgressSettings;
  /** For secrets that are references to variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function readConfig(): ActionsConfig {
  const known = Object.keys(actions);
  const types = list(process.env, 'ACTIONS', known);
  const unknown = types.find((type) => !known.includes(type));
  if (unknown !== undefined)
    throw new SettingError(`ACTIONS names ${unknown}; known types are ${known.join(', ')}`);
  return {
    service: serviceSettings('actions', process.env),
    log: parseLogSettings(process.env, 'tocsin-actions'),
    configDir: process.env['CONFIG_DIR'] || null,
    redisUrl: required(process.env, 'REDIS_URL', 'the effects ledger of webhooks and logs'),
    databaseUrl: required(process.env, 'DATABASE_URL', 'the effects ledger of mail, and the secret store'),
    types,
    logFile: process.env['ACTION_LOG_FILE'] ?? 'tocsin-actions.log',
    logToStdout: oneOf(process.env, 'ACTION_LOG_STDOUT', 'off', ['on', 'off']) === 'on',
    reportFolder: process.env['REPORT_DIR'] || 'tocsin-reports',
    reportMaxBytes: integer(process.env, 'REPORT_MAX_BYTES', 1024 ** 3, {
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
    }),
    exportFolder: process.env['EXPORT_DIR'] || 'tocsin-exports',
    exportMaxBytes: integer(process.env, 'EXPORT_MAX_BYTES', 10 * 1024 ** 3, {
      min: 1,
      max: Number.MAX_SAFE_INTEGER,
    }),
    keyringFile: process.env['SECRETS_KEY_FILE'] || null,
    egress: egressSettings(process.env),
    environment: process.env,
  };
}
