// One action type set up for the contract: its fixture with secrets to look for, commands over three rows, attempts on fakes.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Action, ActionContext, PortName, ResolvedConnection } from '../domain/action/define-action.ts';
import type { Outcome } from '../domain/action/outcome.ts';
import type { TableShape } from '../ports/database.ts';
import { SecretValue } from '../ports/secrets.ts';
import { contextFor, type Fakes, fakes, overTime } from './action-fakes.ts';
import { rowsCommand } from './fixtures.ts';
import { checkStated } from './stated.ts';

export interface ContractFixture {
  /** Folder of the type, as a URL that ends in a slash. */
  readonly folder: URL;
  /** Parameters that work for an event and for rows. */
  readonly params: Readonly<Record<string, unknown>>;
  /** The same with a token {{nowhere.to_be_found}} where a template may stand; null when nothing is a template. */
  readonly missing: Readonly<Record<string, unknown>> | null;
  readonly connection: ResolvedConnection | null;
  /** Secret names that the connection uses; their values must not come out anywhere but in the request. */
  readonly secrets: readonly string[];
  /** Body of every 2xx answer, for receivers that say in it whether they took the request. */
  readonly accepted?: string;
  /** Ports that these parameters use; all that the manifest names without it. */
  readonly uses?: readonly PortName[];
  /** Tables that the database has. */
  readonly tables?: Readonly<Record<string, TableShape>>;
}

export const rows = [
  { host: 'a.example', 'source.ip': '192.0.2.1' },
  { host: 'b.example', 'source.ip': '192.0.2.2' },
  { host: 'c.example', 'source.ip': '192.0.2.3' },
];
/** In every secret of the fixture. */
export const canary = 'canary-7d1f0c93-do-not-print';

export type ContractStage = ReturnType<typeof contractStage>;

export function contractStage(action: Action, fixture: ContractFixture) {
  const { manifest } = action;
  const { accepted = '', uses = manifest.needs } = fixture;
  const needsConnection = manifest.connection !== null && action.needsConnection?.(fixture.params) !== false;
  const answering = (): Fakes => fakes({ status: 200, body: accepted }, fixture.tables);
  const secrets = Object.fromEntries(
    fixture.secrets.map((name) => [name, new SecretValue(`${canary}-${name}`)]),
  );
  const connection = fixture.connection && {
    ...fixture.connection,
    secrets: { ...fixture.connection.secrets, ...secrets },
  };
  const command = (over: Partial<Command> = {}): Command =>
    rowsCommand(rows, { type: manifest.id, params: { ...fixture.params }, ...over });
  const run = (
    ports: Fakes,
    over: Partial<Command> = {},
    context: Partial<ActionContext> = {},
  ): Promise<Outcome> => {
    const outcome = action
      .execute(command(over), contextFor(action, ports, { connection, ...context }))
      .then((ended) => checkStated(action, ended));
    return uses.includes('syslog') ? overTime(outcome, ports.clock) : outcome;
  };
  return { action, fixture, accepted, uses, needsConnection, answering, connection, command, run };
}
