// The rows of the projection of runs: members are columns, times are epoch ms.
//
// Invariant: a row says which version of its run it is, so that replays change nothing. Surprise: null keeps what the table has, in the
// columns that only the start of a run or the opening of a gate tells.
import type { RunStatus } from './machine/state.ts';

/** What a run waits for, in one word. */
export type Waiting = 'delay' | 'pause' | 'action' | 'playbook' | 'retry' | 'event' | 'approval' | 'operator';

/** Members are columns; times are epoch ms; null keeps what the row has, where it may be null. */
export interface RunRow {
  readonly key: string;
  readonly number: number;
  readonly version: number;
  readonly playbook: string;
  readonly revision: number;
  readonly status: RunStatus;
  readonly paused: boolean;
  readonly dry_run: boolean;
  readonly started_by: string;
  readonly tenant: string | null;
  readonly parent_key: string | null;
  readonly source: unknown;
  readonly source_id: string | null;
  readonly event_type: string | null;
  readonly finding_id: string | null;
  readonly fingerprint: string | null;
  readonly severity: string | null;
  readonly title: string | null;
  readonly asset_id: string | null;
  readonly asset_name: string | null;
  readonly tags: readonly string[] | null;
  readonly waiting_on: readonly Waiting[];
  readonly waiting: readonly {
    readonly place: string;
    readonly for: Waiting;
    readonly since: number;
    readonly until?: number;
  }[];
  readonly reason: string | null;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly changed_at: number;
  readonly state: unknown;
}

/** The end of a run whose state the record no longer has. */
export interface RunEnding {
  readonly key: string;
  readonly number: number;
  readonly version: number;
  readonly status: string;
  readonly reason: string | null;
  readonly ended_at: number;
}

export interface ChangeRow {
  readonly key: string;
  /** Of the run; 0 for an input that met no run. */
  readonly number: number;
  readonly version: number;
  readonly input_offset: number;
  /** Place in the record. */
  readonly seq: number;
  readonly at: number;
  readonly what: string;
  readonly step: string | null;
  readonly place: string | null;
  readonly status: string | null;
  readonly actor: string | null;
  readonly decision_id: string | null;
  /** All else that the change tells. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** An open gate. What only its opening tells is null in later records, and kept. */
export interface ApprovalRow {
  readonly id: string;
  readonly token: string;
  readonly key: string;
  readonly number: number;
  readonly version: number;
  readonly playbook: string;
  readonly revision: number;
  readonly dry_run: boolean;
  readonly place: string;
  readonly step: string;
  readonly title: string | null;
  readonly message: string | null;
  readonly sends: unknown;
  readonly approvers: readonly string[] | null;
  /** By escalation. */
  readonly added: readonly string[];
  readonly excluded: readonly string[] | null;
  readonly delegate_to: readonly string[] | null;
  readonly delegates: Readonly<Record<string, string>>;
  readonly quorum: unknown;
  readonly votes: readonly unknown[];
  readonly digest: string;
  readonly opened_at: number;
  readonly until: number | null;
}

/** A gate that is open no longer: the one at the place that is older than the version; without a place all of the run. */
export interface ApprovalEnding {
  readonly key: string;
  readonly number: number;
  readonly version: number;
  readonly place: string | null;
  readonly status: 'approved' | 'rejected' | 'expired' | 'failed' | 'cancelled' | 'skipped';
  readonly closed_at: number;
}

export interface RunRows {
  readonly runs: readonly RunRow[];
  readonly endings: readonly RunEnding[];
  readonly changes: readonly ChangeRow[];
  readonly approvals: readonly ApprovalRow[];
  readonly approvalEndings: readonly ApprovalEnding[];
}

/** Columns that are learnt at the start of a run, and kept where a later row has null. */
export const learntOfRun = [
  'parent_key',
  'source',
  'source_id',
  'event_type',
  'finding_id',
  'fingerprint',
  'severity',
  'title',
  'asset_id',
  'asset_name',
  'tags',
] as const satisfies readonly (keyof RunRow)[];

/** Columns that only the opening of a gate tells. */
export const learntOfApproval = [
  'title',
  'message',
  'sends',
  'approvers',
  'excluded',
  'delegate_to',
  'quorum',
] as const satisfies readonly (keyof ApprovalRow)[];

/** One row for each identity, the last one, with what earlier ones have learnt; in the order of the identities. */
export function newestRows<Row extends object>(
  rows: readonly Row[],
  identity: (row: Row) => string,
  learnt: readonly (keyof Row)[],
): Row[] {
  const kept = new Map<string, Row>();
  for (const row of rows) {
    const before = kept.get(identity(row));
    const known = before === undefined ? [] : learnt.map((name) => [name, row[name] ?? before[name]]);
    kept.set(identity(row), { ...row, ...Object.fromEntries(known) });
  }
  return [...kept].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
