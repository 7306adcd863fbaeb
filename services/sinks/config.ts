// Settings of the sinks; the only place here that reads the environment.
import type { EgressSettings } from '@tocsin/adapters/http/egress-policy.ts';
import { egressSettings } from '@tocsin/adapters/http/egress-settings.ts';
import { type LogSettings, parseLogSettings } from '@tocsin/adapters/log/settings.ts';
import type { ServiceSettings } from '@tocsin/adapters/service/run-service.ts';
import { list, serviceSettings } from '@tocsin/adapters/service/settings.ts';

export interface SinksConfig {
  readonly service: ServiceSettings;
  readonly log: LogSettings;
  readonly configDir: string | null;
  /** Ids of the sinks that this process runs; empty for all. */
  readonly only: readonly string[];
  /** Where stored secrets live; null when secrets come from files and variables only. */
  readonly databaseUrl: string | null;
  /** Keys that decrypt the secret store. */
  readonly keyringFile: string | null;
  readonly egress: EgressSettings;
  /** For secret references by variable, and the schema registry. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function readConfig(): SinksConfig {
  return {
    service: serviceSettings('sinks', process.env),
    log: parseLogSettings(process.env, 'tocsin-sinks'),
    configDir: process.env['CONFIG_DIR'] || null,
    only: list(process.env, 'SINKS', []),
    databaseUrl: process.env['DATABASE_URL'] || null,
    keyringFile: process.env['SECRETS_KEY_FILE'] || null,
    egress: egressSettings(process.env),
    environment: process.env,
  };
}
