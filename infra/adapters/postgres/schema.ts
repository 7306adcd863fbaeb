// The tables as kysely sees them; migrations/*.sql is where they are made. JSON columns are written as text.
import type { ColumnType, Generated, Kysely, Transaction as KyselyTransaction } from 'kysely';

type Written<T> = ColumnType<T, string | null, string | null>;
type Time = ColumnType<Date, Date | string | undefined, Date | string>;
type OptionalTime = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;

/** The query builder over a pool. */
export type Db = Kysely<Database>;
export type Transaction = KyselyTransaction<Database>;

/** Ids of topics in the topology. */
export type OutboxTopic = 'config' | 'audit' | 'playbook-versions';

export interface Database {
  config_revisions: {
    kind: string;
    id: string;
    revision: number;
    document: Written<Record<string, unknown> | null>;
    created_at: Time;
    created_by: string;
  };
  config_heads: { kind: string; id: string; revision: number; deleted: boolean };
  outbox: {
    seq: Generated<string>;
    topic: OutboxTopic;
    key: string;
    value: string | null;
    created_at: Time;
    published_at: OptionalTime;
  };
  playbook_versions: {
    id: string;
    revision: number;
    version: Written<Record<string, unknown>>;
    created_at: Time;
  };
  outbox_owner: { one: Generated<boolean>; owner: string; sending_since: OptionalTime };
  audit: {
    seq: Generated<string>;
    at: Time;
    actor: string;
    ip: string | null;
    verb: string;
    object: string;
    revision: number | null;
    before_sha256: string | null;
    after_sha256: string | null;
    detail: Written<Record<string, unknown> | null>;
  };
  idempotency_keys: {
    actor: string;
    key: string;
    request_hash: Buffer;
    status: number;
    body: string;
    created_at: Time;
  };
  settings: { name: string; value: Buffer; created_at: Time };
  api_keys: {
    id: string;
    hmac: Buffer;
    name: string;
    scopes: string[];
    created_at: Time;
    created_by: string;
    expires_at: OptionalTime;
    revoked_at: OptionalTime;
    last_used_at: OptionalTime;
  };
  executions: ExecutionTable;
  attempts: AttemptTable;
}

interface AttemptTable {
  command_id: string;
  attempt: number;
  status: string;
  final: boolean;
  code: string | null;
  status_code: number | null;
  detail: string | null;
  ref: string | null;
  output: Written<unknown>;
  warnings: Written<string[] | null>;
  possible_duplicate: boolean;
  next_attempt_at: OptionalTime;
  started_at: Time;
  finished_at: Time;
}

interface ExecutionTable extends AttemptTable {
  tenant: string | null;
  type: string;
  action_id: string;
  action: Written<Record<string, unknown>>;
  rule_id: string | null;
  rule: Written<Record<string, unknown> | null>;
  source: Written<Record<string, unknown>>;
  trigger: string;
  connection: string | null;
  mode: string;
  row_index: string;
  rows: number;
  skipped_rows: number | null;
  rank: number;
  created_at: Time;
}
