// Settings of the playbook service; the only place here that reads the environment.
import { type LogSettings, parseLogSettings } from '@tocsin/adapters/log/settings.ts';
import type { ServiceSettings } from '@tocsin/adapters/service/run-service.ts';
import { required, serviceSettings } from '@tocsin/adapters/service/settings.ts';

export interface PlaybooksConfig {
  readonly service: ServiceSettings;
  readonly log: LogSettings;
  readonly redisUrl: string;
  /** Folder whose playbooks are published; null: the config API publishes them. */
  readonly configDir: string | null;
}

export function readConfig(): PlaybooksConfig {
  return {
    service: serviceSettings('playbooks', process.env),
    log: parseLogSettings(process.env, 'tocsin-playbooks'),
    redisUrl: required(process.env, 'REDIS_URL', 'where the states of playbook runs are'),
    configDir: process.env['CONFIG_DIR'] || null,
  };
}
