// What every engine's driver offers to the database port: sessions over a socket that is connected and checked already.
import type { Socket } from 'node:net';
import type {
  DatabaseFailureClass,
  DatabaseServer,
  DatabaseTls,
  TableName,
  TableShape,
} from '@tocsin/topologies/ports/database.ts';

export interface SessionRows {
  /** Values of each row, in the order of the columns. */
  readonly rows: readonly (readonly unknown[])[];
  /** As the server counts them; 0 where it does not. */
  readonly affected: number;
}

export interface Session {
  /** Rejects with the driver's error. */
  run(sql: string, values?: readonly (string | null)[]): Promise<SessionRows>;
  /** Whether the connection is gone. */
  lost(): boolean;
  /** Ends it at once; whatever runs on it rejects. Idempotent. */
  destroy(): void;
}

/** Why a call failed, for people: no value of a row, no secret. */
export interface Verdict {
  readonly failure: DatabaseFailureClass;
  readonly message: string;
  /** The server ends the session with it, whatever it was doing: it is no answer to the statement. */
  readonly ends?: boolean;
}

export interface Driver {
  /** Handshake, TLS and login; rejects with the driver's error and leaves no socket open then. */
  open(socket: Socket, server: DatabaseServer): Promise<Session>;
  /** Begins a transaction in which each statement has the server's limit of time. */
  begin(session: Session, server: DatabaseServer): Promise<void>;
  describe(session: Session, table: TableName): Promise<TableShape | null>;
  /** What an error of `open` or of a statement means; null when the server said nothing that is known. */
  judge(error: Error): Verdict | null;
}

export interface Opening {
  readonly socket: Socket;
  /** The driver's connection: it says 'error' or 'end' when it is over. */
  readonly connection: { on(event: 'error' | 'end', listener: () => void): unknown };
  readonly run: Session['run'];
  /** Ends the driver's connection, besides its socket. */
  readonly end?: () => void;
  /** Handshake, login and the settings of the session. */
  readonly begin: (session: Session) => Promise<unknown>;
}

/** The session once `begin` is done; rejects with its error and leaves no socket open then. */
export async function openSession({ socket, connection, run, end, begin }: Opening): Promise<Session> {
  let lost = false;
  const lose = (): void => {
    lost = true;
  };
  connection.on('error', lose);
  connection.on('end', lose);
  const session: Session = {
    run,
    lost: () => lost || socket.destroyed,
    destroy() {
      lose();
      end?.();
      socket.destroy();
    },
  };
  try {
    await begin(session);
  } catch (error) {
    session.destroy();
    throw error;
  }
  return session;
}

/** What a driver hands to Node's TLS. */
export function tlsMaterial({ ca, cert, key }: DatabaseTls) {
  return {
    minVersion: 'TLSv1.2' as const,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Rows of [index, column] in order as the column sets of the indexes; an index with a null column is left out. */
export function keysOf(rows: readonly (readonly unknown[])[]): string[][] {
  const byIndex = new Map<string, (string | null)[]>();
  for (const [index, column] of rows) {
    const columns = byIndex.get(String(index)) ?? [];
    columns.push(column === null ? null : String(column));
    byIndex.set(String(index), columns);
  }
  return [...byIndex.values()].filter((columns): columns is string[] => !columns.includes(null));
}
