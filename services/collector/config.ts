// Settings of the collector; the only place here that reads the environment.
import { type LogSettings, parseLogSettings } from '@tocsin/adapters/log/settings.ts';
import type { ServiceSettings } from '@tocsin/adapters/service/run-service.ts';
import { required, serviceSettings } from '@tocsin/adapters/service/settings.ts';

export interface CollectorConfig {
  readonly service: ServiceSettings;
  readonly log: LogSettings;
  readonly redisUrl: string;
}

export function readConfig(): CollectorConfig {
  return {
    service: serviceSettings('collector', process.env),
    log: parseLogSettings(process.env, 'tocsin-collector'),
    redisUrl: required(process.env, 'REDIS_URL', 'where runs that are not complete are kept'),
  };
}
