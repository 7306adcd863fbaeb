// What the routes work with. Everything that has a life is opened and closed in main.ts.

import type { Keyring } from '@tocsin/adapters/postgres/api-keys.ts';
import type { ApprovalStore } from '@tocsin/adapters/postgres/approval-store.ts';
import type { AuditStore } from '@tocsin/adapters/postgres/audit-store.ts';
import type { CheckStore } from '@tocsin/adapters/postgres/check-store.ts';
import type { ConfigStore } from '@tocsin/adapters/postgres/config-store.ts';
import type { DeadLetterSearch } from '@tocsin/adapters/postgres/dead-letter-search.ts';
import type { DeliveryStore } from '@tocsin/adapters/postgres/delivery-store.ts';
import type { HistoryStore } from '@tocsin/adapters/postgres/history-store.ts';
import type { IncidentDesk } from '@tocsin/adapters/postgres/incident-desk.ts';
import type { MitreSearch } from '@tocsin/adapters/postgres/mitre-store.ts';
import type { RiskSearch } from '@tocsin/adapters/postgres/risk-search.ts';
import type { RunSearch } from '@tocsin/adapters/postgres/run-search.ts';
import type { Db, Transaction } from '@tocsin/adapters/postgres/schema.ts';
import type { GroupLag, LogProducer } from '@tocsin/topologies/ports/log.ts';
import type { Logger } from '@tocsin/topologies/ports/logger.ts';
import type { StreamHub } from '@tocsin/topologies/run/event-stream/stream-hub.ts';
import type { Catalogue } from './check-document.ts';
import type { Paging } from './paging.ts';

export interface SecretFacts {
  readonly version: number;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** Write-only: there is no way to read a value through it. */
export interface SecretVault {
  /** A new version inside the transaction; returns its number. */
  put(transaction: Transaction, id: string, value: string, actor: string): Promise<number>;
  /** The newest version, or null. */
  describe(id: string): Promise<SecretFacts | null>;
}

export interface Dependencies {
  readonly store: ConfigStore;
  /** Null when the API writes; else why it does not. */
  readonly readOnly: string | null;
  readonly db: Db;
  readonly keyring: Pick<Keyring, 'check' | 'refresh' | 'fresh'>;
  readonly pepper: Buffer;
  readonly vault: SecretVault;
  readonly history: HistoryStore;
  readonly catalogue: Catalogue & {
    readonly actions: Readonly<Record<string, { readonly manifest: object }>>;
  };
  readonly paging: Paging;
  /** Lag of one group over topics. */
  readonly lag: (group: string, topics: readonly string[]) => Promise<GroupLag[]>;
  /** What the recorder has written of playbook runs. */
  readonly runs: RunSearch;
  readonly approvals: ApprovalStore;
  readonly audit: AuditStore;
  readonly incidents: IncidentDesk;
  readonly risks: RiskSearch;
  readonly mitre: MitreSearch;
  /** Events as they come. */
  readonly events: StreamHub;
  readonly letters: DeadLetterSearch;
  readonly deliveries: DeliveryStore;
  /** What became of checks of connections. */
  readonly checks: Pick<CheckStore, 'ofRequest'>;
  /** Inputs of runs go to the log directly. */
  readonly producer: Pick<LogProducer, 'send'>;
  /** The published revision of a playbook that a run would start with; null when there is none. */
  readonly playbookHead: (id: string) => Promise<{ readonly revision: number } | null>;
  /** Address under which people reach this API, for links in mails; null: links are paths. */
  readonly publicUrl: string | null;
  readonly logger: Logger;
}
