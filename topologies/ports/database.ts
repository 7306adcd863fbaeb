// Writing to a relational database: what a table looks like, and statements that happen together or not at all.
//
// Invariant: values are bound, never part of the SQL text; every value is text or NULL, and the server converts it to the column.

export type DatabaseEngine = 'postgres' | 'mysql' | 'mariadb' | 'sqlserver';

export interface DatabaseTls {
  /** PEM bundle of the certificate authorities to trust instead of the system's. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Default true. */
  readonly verify?: boolean;
  readonly servername?: string;
}

export interface DatabaseServer {
  readonly engine: DatabaseEngine;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: string;
  /** null: not encrypted. */
  readonly tls: DatabaseTls | null;
  /** Sessions kept and used at the same time, at most. */
  readonly maxSessions: number;
  /** For one statement, lock waits included, ms. */
  readonly statementTimeoutMs: number;
  /** For one call of the port, connecting included, ms. */
  readonly timeoutMs: number;
  /** Addresses this host may resolve to beyond what the egress mode allows, as CIDR. */
  readonly allowCidrs?: readonly string[];
}

export interface TableName {
  /** null: where the server looks when no schema is named. */
  readonly schema: string | null;
  readonly table: string;
}

/** How values of a column are written; 'other' is what the server reads from text by itself (uuid, inet, enum). */
export type ColumnKind =
  | 'text'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'timestamp'
  | 'timestamptz'
  | 'date'
  | 'json'
  | 'array'
  | 'other';

export interface ColumnShape {
  /** As the database writes it. */
  readonly name: string;
  readonly kind: ColumnKind;
  /** Most characters of a text (UTF-16 units for SQL Server), or digits of a time behind its seconds; null without a limit. */
  readonly maxLength: number | null;
  /** Most bytes of a text in UTF-8; null without a limit. */
  readonly maxBytes: number | null;
}

export interface TableShape {
  readonly columns: readonly ColumnShape[];
  /** Column sets of the unique indexes that cover every row, the primary key among them. */
  readonly uniqueKeys: readonly (readonly string[])[];
}

export interface Statement {
  /** With the placeholders of the engine: $1, ?, @p1. */
  readonly sql: string;
  readonly values: readonly (string | null)[];
  /** A select of one number, which must be this; otherwise nothing happens and the failure is 'unique'. */
  readonly mustCount?: number;
}

export interface WriteReceipt {
  /** Rows that each statement affected, as the server counts. */
  readonly affected: readonly number[];
}

/**
 * 'busy' is a conflict or a shortage that passes: deadlock, serialization, too many sessions, a server that starts or stops. 'object' is
 * a table or column that does not exist or may not be used. 'value' does not fit its column.
 */
export type DatabaseFailureClass =
  | 'denied'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'auth'
  | 'timeout'
  | 'reset'
  | 'aborted'
  | 'busy'
  | 'unique'
  | 'constraint'
  | 'value'
  | 'object'
  | 'rejected';

export class DatabaseFailure extends Error {
  readonly failure: DatabaseFailureClass;
  /** The transaction may have been committed: its commit was sent and no answer came. */
  readonly uncertain: boolean;
  /** The message holds no value of a row and no secret. */
  constructor(
    failure: DatabaseFailureClass,
    message: string,
    options: { readonly uncertain?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'DatabaseFailure';
    this.failure = failure;
    this.uncertain = options.uncertain ?? false;
  }
}

export interface DatabasePort {
  /** null when the table does not exist for this user. Rejects with DatabaseFailure only. */
  describe(server: DatabaseServer, table: TableName, signal?: AbortSignal): Promise<TableShape | null>;
  /** All statements in one transaction. Rejects with DatabaseFailure only. */
  write(
    server: DatabaseServer,
    statements: readonly Statement[],
    signal?: AbortSignal,
  ): Promise<WriteReceipt>;
}

/** For checks of connections. */
export interface DatabaseCheckPort {
  /** A session of its own logs in and selects 1. Rejects with DatabaseFailure only. */
  ping(server: DatabaseServer, signal?: AbortSignal): Promise<void>;
}
