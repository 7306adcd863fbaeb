// Builds the statements of a write: names quoted, values bound, rows with the same columns together.
//
// Surprise: MySQL's ON DUPLICATE KEY answers to any unique index, not only to the one that is meant; a count after it, in the same
// transaction, sees whether our own rows are there.
import type { Statement, TableName } from '../../ports/database.ts';
import type { Dialect } from './dialects.ts';

export type SqlRow = ReadonlyMap<string, string | null>;

export interface WritePlan {
  readonly table: TableName;
  readonly operation: 'insert' | 'update' | 'upsert';
  /** For update and upsert. */
  readonly keys: readonly string[];
  /** For insert: column whose value makes a repeat add nothing; null without. */
  readonly once: string | null;
  readonly rows: readonly SqlRow[];
}

/** The statements, in order. Throws RangeError for a name that cannot be quoted. */
export function buildStatements(plan: WritePlan, dialect: Dialect): Statement[] {
  if (plan.operation === 'update') return plan.rows.map((row) => update(plan, row, dialect));
  return groups(plan.rows).flatMap(({ columns, rows }) => {
    const size = Math.max(1, Math.min(dialect.maxRows, Math.floor(dialect.maxValues / columns.length)));
    const statements: Statement[] = [];
    for (let from = 0; from < rows.length; from += size)
      statements.push(...insert(plan, columns, rows.slice(from, from + size), dialect));
    return statements;
  });
}

interface Group {
  readonly columns: readonly string[];
  readonly rows: SqlRow[];
}

// A column that a row does not have gets its default, so rows with other columns are statements of their own.
function groups(rows: readonly SqlRow[]): Group[] {
  const found = new Map<string, Group>();
  for (const row of rows) {
    const columns = [...row.keys()].sort();
    const key = JSON.stringify(columns);
    const group = found.get(key);
    if (group === undefined) found.set(key, { columns: [...row.keys()], rows: [row] });
    else group.rows.push(row);
  }
  return [...found.values()];
}

function insert(
  plan: WritePlan,
  columns: readonly string[],
  rows: readonly SqlRow[],
  dialect: Dialect,
): Statement[] {
  const { quote } = dialect;
  const values: (string | null)[] = [];
  const place = (value: string | null): string => {
    values.push(value);
    return dialect.placeholder(values.length);
  };
  const names = columns.map(quote).join(', ');
  const lists = rows.map((row) => `(${columns.map((name) => place(row.get(name) ?? null)).join(', ')})`);
  const keys = plan.operation === 'upsert' ? plan.keys : plan.once === null ? [] : [plan.once];
  const changed = plan.operation === 'upsert' ? columns.filter((name) => !keys.includes(name)) : [];
  const table = tableText(plan.table, dialect);
  const plain = `INSERT INTO ${table} (${names}) VALUES ${lists.join(', ')}`;
  if (keys.length === 0) return [{ sql: plain, values }];
  if (dialect.family === 'postgres') {
    const sets = changed.map((name) => `${quote(name)} = EXCLUDED.${quote(name)}`);
    const then = sets.length === 0 ? 'DO NOTHING' : `DO UPDATE SET ${sets.join(', ')}`;
    return [{ sql: `${plain} ON CONFLICT (${keys.map(quote).join(', ')}) ${then}`, values }];
  }
  if (dialect.family === 'mysql') {
    const same = quote(keys[0] as string);
    const sets =
      changed.length === 0
        ? `${same} = ${same}`
        : changed.map((name) => `${quote(name)} = VALUES(${quote(name)})`).join(', ');
    return [
      { sql: `${plain} ON DUPLICATE KEY UPDATE ${sets}`, values },
      ...present(table, keys, rows, dialect),
    ];
  }
  const on = keys.map((name) => `target.${quote(name)} = source.${quote(name)}`).join(' AND ');
  const sets = changed.map((name) => `${quote(name)} = source.${quote(name)}`).join(', ');
  const sourced = columns.map((name) => `source.${quote(name)}`).join(', ');
  return [
    {
      // Without HOLDLOCK two sessions may both find the row missing.
      sql: `MERGE INTO ${table} WITH (HOLDLOCK) AS target USING (VALUES ${lists.join(', ')}) AS source (${names}) ON ${on}${
        sets === '' ? '' : ` WHEN MATCHED THEN UPDATE SET ${sets}`
      } WHEN NOT MATCHED THEN INSERT (${names}) VALUES (${sourced});`,
      values,
    },
  ];
}

// As many as are safe in one expression; MySQL nests the sum.
const presentAtOnce = 200;

function present(
  table: string,
  keys: readonly string[],
  rows: readonly SqlRow[],
  { quote, placeholder }: Dialect,
): Statement[] {
  const test = keys.map((name) => `${quote(name)} = ${placeholder(0)}`).join(' AND ');
  const statements: Statement[] = [];
  for (let from = 0; from < rows.length; from += presentAtOnce) {
    const part = rows.slice(from, from + presentAtOnce);
    statements.push({
      sql: `SELECT ${part.map(() => `EXISTS (SELECT 1 FROM ${table} WHERE ${test})`).join(' + ')}`,
      values: part.flatMap((row) => keys.map((name) => row.get(name) ?? null)),
      mustCount: part.length,
    });
  }
  return statements;
}

function update(plan: WritePlan, row: SqlRow, dialect: Dialect): Statement {
  const values: (string | null)[] = [];
  const equals = (name: string): string => {
    values.push(row.get(name) ?? null);
    return `${dialect.quote(name)} = ${dialect.placeholder(values.length)}`;
  };
  const sets = [...row.keys()].filter((name) => !plan.keys.includes(name)).map(equals);
  const where = plan.keys.map(equals);
  return {
    sql: `UPDATE ${tableText(plan.table, dialect)} SET ${sets.join(', ')} WHERE ${where.join(' AND ')}`,
    values,
  };
}

function tableText({ schema, table }: TableName, { quote }: Dialect): string {
  return schema === null ? quote(table) : `${quote(schema)}.${quote(table)}`;
}
