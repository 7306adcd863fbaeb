// Where this service finds credentials: variables and files always, the secret store where a database and its keys are set.
import type { PinoLogger } from '@tocsin/adapters/logger/pino.ts';
import { createPool } from '@tocsin/adapters/postgres/pool.ts';
import { createSecrets } from '@tocsin/adapters/secrets/composite.ts';
import { loadKeyring } from '@tocsin/adapters/secrets/keyring.ts';
import { createStoredSecrets } from '@tocsin/adapters/secrets/postgres-store.ts';
import type { SecretsPort } from '@tocsin/topologies/ports/secrets.ts';
import type { SinksConfig } from './config.ts';

export interface OpenSecrets {
  readonly port: SecretsPort;
  close(): Promise<void>;
}

/** Throws when the keyring cannot be read. */
export function openSecrets(config: SinksConfig, logger: PinoLogger): OpenSecrets {
  const common = { env: config.environment, registerSecret: (value: string) => logger.registerSecret(value) };
  if (config.databaseUrl === null || config.keyringFile === null)
    return { port: createSecrets(common), close: async () => undefined };
  const pool = createPool({
    connectionString: config.databaseUrl,
    applicationName: 'tocsin-sinks',
    logger,
    max: 2,
  });
  const stored = createStoredSecrets(pool, loadKeyring(config.keyringFile), { now: Date.now });
  return { port: createSecrets({ ...common, stored }), close: () => pool.end() };
}
