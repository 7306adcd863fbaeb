// Settings of the evaluator; the only place here that reads the environment.
import { type LogSettings, parseLogSettings } from '@tocsin/adapters/log/settings.ts';
import type { ServiceSettings } from '@tocsin/adapters/service/run-service.ts';
import { integer, serviceSettings } from '@tocsin/adapters/service/settings.ts';

export interface EvaluatorConfig {
  readonly service: ServiceSettings;
  readonly log: LogSettings;
  readonly configDir: string | null;
  /** One event of so many is judged again by the reference evaluator. */
  readonly checkEvery: number;
  /** Passed on to the schema registry adapter. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export function readConfig(): EvaluatorConfig {
  return {
    service: serviceSettings('evaluator', process.env),
    log: parseLogSettings(process.env, 'tocsin-evaluator'),
    configDir: process.env['CONFIG_DIR'] || null,
    checkEvery: integer(process.env, 'MATCH_CHECK_EVERY', 1_000, { min: 1, max: 1_000_000 }),
    environment: process.env,
  };
}
