// The tables as kysely sees them; migrations/*.sql is where they are made. JSON columns are written as text.
import type { ColumnType, Generated, Kysely, Transaction as KyselyTransaction } from 'kysely';

type Written<T> = ColumnType<T, string | null, string | null>;
type Time = ColumnType<Date, Date | string | undefined, Date | string>;
type OptionalTime = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;

/** The query builder over a pool. */
export type Db = Kysely<Database>;
export type Transaction = KyselyTransaction<Database>;

/** Ids of topics in the topology. */
export type OutboxTopic = 'config' | 'audit' | 'playbook-versions' | 'events';

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
    via: string | null;
    /** By trigger. */
    prev_hash: Generated<Buffer>;
    hash: Generated<Buffer>;
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
    user_name: string | null;
    user_roles: Generated<string[]>;
  };
  approval_links: {
    hash: Buffer;
    approval: string;
    user_name: string;
    decision_id: string;
    created_at: Time;
    created_by: string;
    expires_at: Time;
    used_at: OptionalTime;
  };
  runs: RunTable;
  run_changes: RunChangeTable;
  approvals: ApprovalTable;
  executions: ExecutionTable;
  attempts: AttemptTable;
  risk_commands: {
    command_id: string;
    made: ColumnType<unknown, string | undefined, string>;
    recorded_at: Time;
  };
  risk_scores: RiskScoreTable;
  mitre_records: MitreTable;
  dead_letters: DeadLetterTable;
  dead_letter_contents: {
    id: string;
    key: Buffer | null;
    value: Buffer | null;
    headers: Written<[name: string, base64: string][]>;
  };
  deliveries: DeliveryTable;
  sink_states: { sink: string; paused: boolean; code: string | null; detail: string | null; at: Time };
  connection_checks: {
    request: string;
    connection: string;
    at: Time;
    outcome: ColumnType<unknown, string, string>;
  };
  incidents: IncidentTable;
  incident_history: {
    incident_id: string;
    version: number;
    at: Time;
    actor: string;
    verb: string;
    comment: string | null;
    changes: Written<Record<string, unknown>[]>;
  };
}

/** bigint comes as text. */
interface DeliveryTable {
  seq: Generated<string>;
  id: string;
  sink: string;
  at: Time;
  sent_by: string;
  request: string | null;
  event_id: string | null;
  event: string | null;
  source: Written<{ topic: string; partition: number; offset: number } | null>;
  events: number;
  attempt: number;
  status: string;
  status_code: number | null;
  code: string | null;
  detail: string | null;
  latency_ms: number;
  response: string | null;
  omitted: number | null;
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

/** bigint comes as text. */
interface RunTable {
  key: string;
  number: string;
  version: string;
  playbook: string;
  revision: number;
  status: string;
  paused: boolean;
  dry_run: boolean;
  started_by: string;
  tenant: string | null;
  parent_key: string | null;
  source: Written<Record<string, unknown> | null>;
  source_id: string | null;
  event_type: string | null;
  finding_id: string | null;
  fingerprint: string | null;
  severity: string | null;
  title: string | null;
  asset_id: string | null;
  asset_name: string | null;
  tags: string[] | null;
  waiting_on: string[];
  waiting: Written<WaitingPlace[]>;
  reason: string | null;
  started_at: Time;
  ended_at: OptionalTime;
  changed_at: Time;
  state: Written<Record<string, unknown> | null>;
}

/** Times are epoch ms. */
interface WaitingPlace {
  readonly place: string;
  readonly for: string;
  readonly since: number;
  readonly until?: number;
}

interface RunChangeTable {
  key: string;
  number: string;
  version: string;
  input_offset: string;
  seq: number;
  at: Time;
  what: string;
  step: string | null;
  place: string | null;
  status: string | null;
  actor: string | null;
  decision_id: string | null;
  facts: Written<Record<string, unknown>>;
}

interface ApprovalTable {
  id: string;
  token: string;
  key: string;
  number: string;
  version: string;
  playbook: string;
  revision: number;
  dry_run: boolean;
  place: string;
  step: string;
  title: string | null;
  message: string | null;
  sends: Written<Record<string, unknown>[] | null>;
  approvers: string[] | null;
  added: string[];
  excluded: string[] | null;
  delegate_to: string[] | null;
  delegates: Written<Record<string, string>>;
  quorum: Written<{ approve: number; reject: number } | null>;
  votes: Written<{ actor: string; verdict: string }[]>;
  digest: string;
  opened_at: Time;
  until: OptionalTime;
  status: string;
  closed_at: OptionalTime;
}

interface IncidentTable {
  id: string;
  command_id: string;
  version: Generated<number>;
  tenant: string | null;
  title: string;
  severity: string;
  severities: Written<string[]>;
  status: string;
  closed: boolean;
  workflow: Written<Record<string, unknown>>;
  assignee: string | null;
  description: string;
  drilldown: Written<Record<string, unknown> | null>;
  index_suffix: string | null;
  field_definitions: Written<Record<string, unknown>>;
  fields: Written<Record<string, unknown>>;
  additional_fields: Written<Record<string, unknown>>;
  inventory: Written<Record<string, unknown> | null>;
  assets: string[];
  evidence: Written<Record<string, unknown>>;
  rule: Written<Record<string, unknown> | null>;
  rule_id: string | null;
  action: Written<Record<string, unknown>>;
  source: Written<Record<string, unknown>>;
  warnings: Written<string[]>;
  made: Written<Record<string, unknown>>;
  created_at: Time;
  changed_at: Time;
  closed_at: OptionalTime;
}

/** numeric and bigint come as text. */
interface RiskScoreTable {
  tenant: string;
  object_type: string;
  object_id: string;
  command_id: string;
  kind: string;
  name: string | null;
  scoring_type: string;
  score: string;
  fidelity: string;
  effective: string;
  index_name: string;
  fields: Written<Record<string, unknown>>;
  rule: Written<Record<string, unknown> | null>;
  row_index: ColumnType<string | null, number | null, never>;
  scored_at: Time;
  expires_at: OptionalTime;
}

interface MitreTable {
  command_id: string;
  tenant: string | null;
  name: string;
  rule_id: string | null;
  rule: string | null;
  layer: string;
  techniques: string[];
  tactics: string[];
  severity: string;
  original_severity: string | null;
  index_name: string;
  source_id: string;
  event_id: string | null;
  run_id: string | null;
  row_index: ColumnType<string | null, number | null, never>;
  incident_id: string | null;
  fields: Written<Record<string, unknown>>;
  made: Written<Record<string, unknown>>;
  at: Time;
}

/** bigint comes as text. */
interface DeadLetterTable {
  id: string;
  letter_partition: number;
  letter_offset: string;
  stage: string;
  service: string;
  reason: string;
  error: string;
  source_topic: string | null;
  source_partition: string | null;
  source_offset: string | null;
  first_source: string | null;
  attempts: number;
  at: Time;
  first_at: OptionalTime;
  command_id: string | null;
  part: string | null;
  round: number | null;
  type: string | null;
  action_id: string | null;
  rule_id: string | null;
  connection: string | null;
  playbook: string | null;
  run: string | null;
  tenant: string | null;
  key: string | null;
  redrives: number;
  redrive_of: string | null;
  complete: boolean;
  bytes: string;
  state: Generated<LetterState>;
  state_by: string | null;
  state_at: OptionalTime;
  sent: Generated<number>;
  job: string | null;
  due: OptionalTime;
  send_round: number | null;
  send_error: string | null;
}

export type LetterState = 'open' | 'queued' | 'redriven' | 'purged';
