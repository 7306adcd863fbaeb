// Carries out the checks of connections that people ask for: from where the actions run, with their secrets and egress rules.
//
// Invariant: every request that is not too old ends in one stored outcome, which holds no secret.
import type { ConnectionCheck } from '@tocsin/schemas/types.ts';
import type { ActionManifest, ResolvedConnection } from '../domain/action/define-action.ts';
import { type CheckOutcome, checkFailed, withoutSecrets } from '../domain/check/outcome.ts';
import type { ConfigTable } from '../domain/config/config-table.ts';
import type { CheckStorePort } from '../ports/check-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { BatchHandler } from '../ports/log.ts';
import type { Logger } from '../ports/logger.ts';
import type { SecretsPort } from '../ports/secrets.ts';
import { type CheckPorts, checkConnection } from './check-connection.ts';
import { resolveConnection } from './connections.ts';
import { serveRequests } from './serve-requests.ts';

export interface ConnectionChecksOptions {
  readonly table: () => ConfigTable;
  readonly secrets: SecretsPort;
  readonly ports: CheckPorts;
  readonly store: CheckStorePort;
  readonly actions: Readonly<Record<string, { readonly manifest: ActionManifest }>>;
  readonly worker: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Nobody waits for the answer any more. */
const tooOldMs = 60_000;
const configMs = 5_000;
const limitMs = 10_000;

export function createConnectionChecks(options: ConnectionChecksOptions): BatchHandler & { stop(): void } {
  const { table, secrets, ports, store, actions, worker, clock, logger } = options;

  async function serve(request: ConnectionCheck, signal: AbortSignal): Promise<void> {
    const began = clock.now();
    const connection = await resolved(request, signal);
    const outcome = 'config' in connection ? await carryOut(connection, signal) : connection;
    const values = 'config' in connection ? Object.values(connection.secrets).map((one) => one.reveal()) : [];
    await store.write(request.id, request.connection, request.at, {
      ...withoutSecrets(outcome, values),
      latency_ms: clock.now() - began,
      worker,
    });
  }

  async function resolved(
    { connection, revision, at }: ConnectionCheck,
    signal: AbortSignal,
  ): Promise<ResolvedConnection | CheckOutcome> {
    const found = () => table().connections.get(connection);
    // What was saved just now may be on its way.
    while ((found()?.revision ?? 0) < revision && clock.now() - at < configMs) await clock.sleep(100, signal);
    const { document, revision: has = 0 } = found() ?? {};
    if (document === undefined || has < revision)
      return checkFailed('invalid_params', `the worker does not have revision ${revision} yet`, 'nothing');
    const answer = await resolveConnection(document, secrets);
    return 'config' in answer ? answer : checkFailed(answer.code, answer.detail, 'nothing');
  }

  async function carryOut(connection: ResolvedConnection, signal: AbortSignal): Promise<CheckOutcome> {
    const ending = new AbortController();
    const late = clock.sleep(limitMs + 1_000, ending.signal).then(
      () => checkFailed('timeout', `not done within ${limitMs + 1_000} ms`, 'unknown'),
      () => new Promise<never>(() => undefined),
    );
    try {
      return await Promise.race([
        late,
        checkConnection(connection, {
          ports,
          users: usersOf(table(), connection.config.id, actions),
          limitMs,
          now: clock.now(),
          signal,
        }),
      ]);
    } catch (error) {
      // A defect must not leave whoever asked without an answer.
      logger.error('a connection check failed', {
        connection: connection.config.id,
        error: (error as Error).name,
      });
      return checkFailed('bug', 'the check itself failed; see the log of the worker', 'unknown');
    } finally {
      ending.abort();
    }
  }

  return serveRequests<ConnectionCheck>(
    { what: 'connection check', document: 'connection-check.json', tooOldMs, serve },
    options,
  );
}

/** The types of the actions that name the connection, each once. */
function usersOf(
  { actions: documents }: ConfigTable,
  connection: string,
  actions: ConnectionChecksOptions['actions'],
): ActionManifest[] {
  const types = new Set(
    [...documents.values()].flatMap(({ document }) =>
      document.connection === connection ? [document.type] : [],
    ),
  );
  return [...types].flatMap((type) => (Object.hasOwn(actions, type) ? [actions[type]!.manifest] : []));
}
