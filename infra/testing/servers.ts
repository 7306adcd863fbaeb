// How a test file of the project `it` reaches the servers that global-setup.ts started.
// The Kafka cluster and Redis are shared by all files: use topic, group and key names of your own (`uniqueName`).
import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { createDatabase } from './database.ts';
import './provided.ts';

/** Bootstrap servers of the shared broker. */
export function kafkaBrokers(): string {
  return inject('kafka');
}

/** URL of the shared Redis. */
export function redisUrl(): string {
  return inject('redis');
}

/** `<prefix>-<12 hex digits>`. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString('hex')}`;
}

let ofThisFile: Promise<string> | undefined;

/** URL of a database that this test file has for itself, empty at the first call. Dropped at the end of the run. */
export function postgresUrl(): Promise<string> {
  ofThisFile ??= newDatabase();
  return ofThisFile;
}

/** URL of one more empty database. Dropped at the end of the run. */
export function newDatabase(): Promise<string> {
  return createDatabase(inject('postgres'), `${inject('databasePrefix')}${randomBytes(6).toString('hex')}`);
}
