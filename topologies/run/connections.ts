// Finds the connection of a command as it is now and resolves its secrets: a rotated credential is used at once, also
// by commands that were decided before.
import type { Connection } from '@tocsin/schemas/types.ts';
import type { ActionManifest, ResolvedConnection } from '../domain/action/define-action.ts';
import type { Failed } from '../domain/action/outcome.ts';
import type { ConfigTable } from '../domain/config/config-table.ts';
import { SecretError, type SecretsPort, type SecretValue } from '../ports/secrets.ts';
import type { LaneSettings } from './lane.ts';
import type { ConnectionLookup } from './perform.ts';

/** Looks connections up in the table of the moment. A missing or disabled one may still come: retry with backoff. */
export function createConnectionLookup(table: () => ConfigTable, secrets: SecretsPort): ConnectionLookup {
  return async (id) => {
    const found = table().connections.get(id)?.document;
    if (found === undefined || found.enabled === false) return unknown(id, found);
    return resolveConnection(found, secrets);
  };
}

/** The connection with its secrets, or why they cannot be had; the reference is named, never a value. */
export async function resolveConnection(
  config: Connection,
  secrets: SecretsPort,
): Promise<ResolvedConnection | Failed> {
  const resolved: Record<string, SecretValue> = {};
  for (const [name, ref] of Object.entries(config.secrets ?? {}))
    try {
      resolved[name] = await secrets.resolve(ref);
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      return {
        status: 'failed',
        code: 'secret',
        retry: 'pause',
        detail: `connection ${config.id}, secret ${name}: ${error.message}`,
      };
    }
  return { config, secrets: resolved };
}

function unknown(id: string, found: Connection | undefined): Failed {
  const why =
    id === ''
      ? 'the action names no connection'
      : `connection ${id} ${found === undefined ? 'does not exist' : 'is disabled'}`;
  return { status: 'failed', code: 'unknown_connection', retry: 'backoff', detail: why };
}

/** Limits of the lane that serves a connection; `defaults` are those of the action type. */
export function laneSettingsOf(
  table: () => ConfigTable,
  defaults: ActionManifest['lane'] = {},
): (connection: string | null) => LaneSettings {
  return (id) => {
    // Without a destination there is nobody to spare; what is written at the same time is written together.
    if (id === null) return { concurrency: 256, ratePerSecond: null };
    const document = table().connections.get(id)?.document;
    // No action uses a syslog connection.
    const config = document?.type === 'syslog' ? undefined : document;
    // The defaults of schemas/documents/connection.json.
    return {
      concurrency: config?.concurrency ?? (config === undefined || config.type === 'http' ? 8 : 4),
      ratePerSecond: config?.rate_per_second ?? defaults.ratePerSecond ?? null,
    };
  };
}
