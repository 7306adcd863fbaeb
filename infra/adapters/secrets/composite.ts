// The secrets port: chooses the store by the kind of reference and tells the log scrubber about every value.
// Invariant: every value is registered for scrubbing before the caller sees it.
import type { SecretRef } from '@tocsin/schemas/types.ts';
import { SecretError, type SecretsPort, type SecretValue } from '@tocsin/topologies/ports/secrets.ts';
import type { StoredSecrets } from './postgres-store.ts';
import { resolveEnv, resolveFile } from './resolve-env-file.ts';

export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absent where no database is configured; such references fail. */
  readonly stored?: StoredSecrets;
  /** Usually PinoLogger.registerSecret. */
  readonly registerSecret?: (value: string) => void;
}

export function createSecrets(sources: SecretSources): SecretsPort {
  return {
    async resolve(ref) {
      const value = await find(ref, sources);
      sources.registerSecret?.(value.reveal());
      return value;
    },
  };
}

async function find(ref: SecretRef, sources: SecretSources): Promise<SecretValue> {
  if ('env' in ref) return resolveEnv(ref.env, sources.env);
  if ('file' in ref) return resolveFile(ref.file);
  if (sources.stored === undefined)
    throw new SecretError(`secret ${ref.secret}: this service has no secret store`);
  try {
    return await sources.stored.resolve(ref);
  } catch (error) {
    if (error instanceof SecretError) throw error;
    throw new SecretError(`secret ${ref.secret}: the secret store does not answer`, { cause: error });
  }
}
