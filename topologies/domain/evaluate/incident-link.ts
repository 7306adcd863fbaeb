// The incident that a command belongs to: made by the nearest earlier incident action of the same rule, from the same trigger.
//
// Invariant: the id is computed, never looked up: it does not matter which of the two commands is carried out first, or whether the
// incident is there yet. No link rather than a wrong one: where the rows of both cannot be told to be the same there is none.
import type { Command } from '@tocsin/schemas/types.ts';
import { incidentIdOf } from '../incident/incident.ts';
import { commandId } from './command-id.ts';
import type { Plan } from './plan-commands.ts';
import type { EvaluatorTables } from './tables.ts';

export type PlannedIncident = NonNullable<Command['incident']>;

/** What later entries of the rule have to know of this entry; null when it makes no incident now. */
export function incidentOf(
  { commands, collected }: Pick<Plan, 'commands' | 'collected'>,
  key: string,
  { manifests }: Pick<EvaluatorTables, 'manifests'>,
): PlannedIncident | null {
  const command = commands[0];
  const made = command ?? collected[0]?.chunk.template;
  if (made === undefined || manifests.get(made.type)?.incident !== 'makes') return null;
  const { mode, source } = made;
  const row = command?.row_index;
  return {
    key,
    mode,
    source: source.id,
    ...(mode === 'first' && typeof row === 'number' ? { row_index: row } : {}),
  };
}

/** The id of the incident of the command's own row, event or set; null without one. */
export function linkedIncident(command: Command): string | null {
  const { incident, tenant, rule } = command;
  if (incident === undefined || rule === undefined) return null;
  const rowIndex = rowOf(incident, command);
  if (rowIndex === null) return null;
  return incidentIdOf(
    commandId({
      tenant: tenant ?? '',
      sourceId: incident.source,
      ruleId: rule.id,
      actionKey: incident.key,
      rowIndex,
    }),
  );
}

function rowOf(
  incident: PlannedIncident,
  { mode, row_index, subject, source }: Command,
): number | 'all' | null {
  // An event is row 0 in every mode.
  if (subject.rows === undefined) return 0;
  if (incident.mode === 'all') return 'all';
  if (incident.mode === 'each')
    // Of a run in chunks the commands for each row have the source of their chunk, and others that of the run.
    return row_index !== 'all' && incident.source === source.id ? row_index : null;
  if (incident.row_index === undefined) return mode === 'first' && row_index !== 'all' ? row_index : null;
  return mode !== 'each' || row_index === incident.row_index ? incident.row_index : null;
}
