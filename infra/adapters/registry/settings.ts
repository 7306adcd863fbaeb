// The schema registry from the environment; without SCHEMA_REGISTRY_URL there is none and framed Avro is dead-lettered.
import { type Environment, integer, SettingError } from '../service/settings.ts';
import type { SchemaRegistrySettings } from './schema-registry.ts';

/** SCHEMA_REGISTRY_URL, SCHEMA_REGISTRY_USERNAME, SCHEMA_REGISTRY_PASSWORD, SCHEMA_REGISTRY_TIMEOUT_MS; null without the first. */
export function schemaRegistrySettings(env: Environment): SchemaRegistrySettings | null {
  const url = env['SCHEMA_REGISTRY_URL'];
  if (url === undefined || url === '') return null;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new SettingError('SCHEMA_REGISTRY_URL must be an http or https URL such as http://127.0.0.1:8081');
  const username = env['SCHEMA_REGISTRY_USERNAME'];
  const password = env['SCHEMA_REGISTRY_PASSWORD'];
  return {
    url,
    timeoutMs: integer(env, 'SCHEMA_REGISTRY_TIMEOUT_MS', 5_000, { min: 100, max: 60_000 }),
    ...(username === undefined || username === '' ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}
