// Decides what a database's refusal, or its absence, means.
//
// Refused credentials and certificates pause the destination; conflicts, shortages and lost connections are tried again; what the
// table refuses would be refused again.
import type { Failed, FailureCode } from '../../domain/action/outcome.ts';
import type { DatabaseFailure, DatabaseFailureClass } from '../../ports/database.ts';

const verdicts: Readonly<
  Record<DatabaseFailureClass, readonly [FailureCode, 'never' | 'backoff' | 'pause']>
> = {
  denied: ['denied', 'never'],
  dns: ['dns', 'backoff'],
  connect: ['connect', 'backoff'],
  tls: ['tls', 'pause'],
  auth: ['db_auth', 'pause'],
  timeout: ['timeout', 'backoff'],
  reset: ['reset', 'backoff'],
  aborted: ['aborted', 'backoff'],
  busy: ['db_busy', 'backoff'],
  unique: ['db_unique', 'never'],
  constraint: ['db_constraint', 'never'],
  value: ['db_value', 'never'],
  object: ['db_object', 'never'],
  rejected: ['db_rejected', 'never'],
};

/** `subject` names the server for people, without secrets. */
export function judgeDatabaseFailure(failure: DatabaseFailure, subject: string): Failed {
  const [code, retry] = verdicts[failure.failure];
  return {
    status: 'failed',
    code,
    retry,
    detail: `${subject}: ${failure.message}`.slice(0, 1024),
    ...(failure.uncertain ? { uncertain: true } : {}),
  };
}
