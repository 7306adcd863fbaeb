// Settings of the recorder; the only place here that reads the environment.
import { type LogSettings, parseLogSettings } from '@tocsin/adapters/log/settings.ts';
import type { ServiceSettings } from '@tocsin/adapters/service/run-service.ts';
import { required, serviceSettings } from '@tocsin/adapters/service/settings.ts';

export interface RecorderConfig {
  readonly service: ServiceSettings;
  readonly log: LogSettings;
  readonly databaseUrl: string;
}

export function readConfig(): RecorderConfig {
  return {
    service: serviceSettings('recorder', process.env),
    log: parseLogSettings(process.env, 'tocsin-recorder'),
    databaseUrl: required(process.env, 'DATABASE_URL', 'where the history is written'),
  };
}
