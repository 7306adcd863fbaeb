// A database in memory: tables with the shapes that a test gives them, every write recorded, failures as scripted.
import type {
  ColumnShape,
  DatabaseCheckPort,
  DatabaseFailure,
  DatabasePort,
  DatabaseServer,
  Statement,
  TableShape,
} from '../database.ts';

export interface FakeDatabase extends DatabasePort, DatabaseCheckPort {
  readonly pinged: readonly DatabaseServer[];
  readonly writes: readonly { readonly server: DatabaseServer; readonly statements: readonly Statement[] }[];
  /** From now on this table is there; the key is schema.table, or the table alone. */
  table(name: string, shape: TableShape): void;
  /** The next calls, looks at a table included, fail with these, one each. */
  fail(...failures: readonly DatabaseFailure[]): void;
  /** Rows that each further statement affects; 1 without it. */
  affects(count: number): void;
}

/** A column of text, unless `over` says otherwise. */
export function column(name: string, over: Partial<ColumnShape> = {}): ColumnShape {
  return { name, kind: 'text', maxLength: null, maxBytes: null, ...over };
}

export function fakeDatabase(tables: Readonly<Record<string, TableShape>> = {}): FakeDatabase {
  const writes: { server: DatabaseServer; statements: readonly Statement[] }[] = [];
  const pinged: DatabaseServer[] = [];
  const shapes = new Map(Object.entries(tables));
  const failures: DatabaseFailure[] = [];
  let affected = 1;
  const failNext = (): void => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
  };
  return {
    writes,
    pinged,
    async ping(server) {
      failNext();
      pinged.push(server);
    },
    table: (name, shape) => void shapes.set(name, shape),
    fail: (...next) => void failures.push(...next),
    affects: (count) => {
      affected = count;
    },
    async describe(_server, { schema, table }) {
      failNext();
      return shapes.get(schema === null ? table : `${schema}.${table}`) ?? null;
    },
    async write(server, statements) {
      failNext();
      writes.push({ server, statements });
      return { affected: statements.map(() => affected) };
    },
  };
}
