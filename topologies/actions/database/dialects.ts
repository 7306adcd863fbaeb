// How each engine writes names, placeholders and arrays, and how much fits into one statement.
//
// Invariant: `quote` answers one identifier whatever the name holds, or throws.
import type { DatabaseEngine } from '../../ports/database.ts';

export interface Dialect {
  readonly family: 'postgres' | 'mysql' | 'sqlserver';
  quote(name: string): string;
  /** Placeholder of value number `index`, from 1. */
  placeholder(index: number): string;
  /** Bound values and rows of one statement, at most. */
  readonly maxValues: number;
  readonly maxRows: number;
}

// Bytes or characters of a name: PostgreSQL NAMEDATALEN - 1, MySQL 64 characters, SQL Server sysname.
function quoter(open: string, close: string, maxLength: number): (name: string) => string {
  return (name) => {
    if (
      name === '' ||
      name.includes('\u0000') ||
      Buffer.byteLength(name) > maxLength * (open === '"' ? 1 : 4)
    )
      throw new RangeError('not a name that a table or column can have');
    return `${open}${name.replaceAll(close, close + close)}${close}`;
  };
}

const postgres: Dialect = {
  family: 'postgres',
  quote: quoter('"', '"', 63),
  placeholder: (index) => `$${index}`,
  // The count of parameters is 16 bits in the protocol.
  maxValues: 65_535,
  maxRows: 10_000,
};

const mysql: Dialect = {
  family: 'mysql',
  quote: quoter('`', '`', 64),
  placeholder: () => '?',
  maxValues: 65_535,
  maxRows: 10_000,
};

const sqlserver: Dialect = {
  family: 'sqlserver',
  quote: quoter('[', ']', 128),
  placeholder: (index) => `@p${index}`,
  // 2,100 parameters with those of sp_executesql; 1,000 rows in a table value constructor.
  maxValues: 2_000,
  maxRows: 1_000,
};

export const dialects: Readonly<Record<DatabaseEngine, Dialect>> = {
  postgres,
  mysql,
  mariadb: mysql,
  sqlserver,
};
