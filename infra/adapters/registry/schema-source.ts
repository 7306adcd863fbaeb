// The schema source that a service's environment asks for.
import type { SchemaSource } from '@tocsin/schemas/codecs/decode.ts';
import type { Environment } from '../service/settings.ts';
import { createSchemaRegistry } from './schema-registry.ts';
import { schemaRegistrySettings } from './settings.ts';

/** A registry client when SCHEMA_REGISTRY_URL is set, else null. Throws SettingError for a malformed setting. Holds no process open. */
export function createSchemaSource(env: Environment): SchemaSource | null {
  const settings = schemaRegistrySettings(env);
  return settings === null ? null : createSchemaRegistry(settings, Date);
}
