// Incidents that actions make.
//
// Invariant: the command id is unique: a command that comes again, at once or later, from one worker or from two, finds what the first
// one made and is answered as that was.
import {
  type IncidentStorePort,
  type MadeIncident,
  madeOf,
} from '@tocsin/topologies/ports/incident-store.ts';
import { publishEvents, recordOnce } from './record-once.ts';
import type { Db } from './schema.ts';
import { storable, time } from './text.ts';

export function createIncidentStore(db: Db): IncidentStorePort {
  return {
    create: (given, event) =>
      recordOnce(db, async (transaction) => {
        const incident = storable(given);
        const made = madeOf(incident);
        const json = (value: unknown): string => JSON.stringify(value);
        const isClosed = incident.workflow.closed.includes(incident.status);
        const inserted = await transaction
          .insertInto('incidents')
          .values({
            id: incident.id,
            command_id: incident.command_id,
            tenant: incident.tenant,
            title: incident.title,
            severity: incident.severity,
            severities: json(incident.severities),
            status: incident.status,
            closed: isClosed,
            workflow: json(incident.workflow),
            assignee: incident.assignee,
            description: incident.description,
            drilldown: incident.drilldown === null ? null : json(incident.drilldown),
            index_suffix: incident.index_suffix,
            field_definitions: json(incident.field_definitions),
            fields: json(incident.fields),
            additional_fields: json(incident.additional_fields),
            inventory: incident.inventory === null ? null : json(incident.inventory),
            assets: [...new Set(Object.values(incident.inventory?.match ?? {}))],
            evidence: json(incident.evidence),
            rule: incident.rule === null ? null : json(incident.rule),
            rule_id: incident.rule?.id ?? null,
            action: json(incident.action),
            source: json(incident.source),
            warnings: json(incident.warnings),
            made: json(made),
            created_at: time(incident.created_at) as string,
            closed_at: isClosed ? time(incident.created_at) : null,
          })
          // No target: an index that is not named would turn two workers at once into an error.
          .onConflict((conflict) => conflict.doNothing())
          .returning('id')
          .executeTakeFirst();
        if (inserted === undefined) {
          const first = await transaction
            .selectFrom('incidents')
            .select('made')
            .where('command_id', '=', incident.command_id)
            .executeTakeFirstOrThrow();
          return first.made as unknown as MadeIncident;
        }
        await transaction
          .insertInto('incident_history')
          .values({
            incident_id: incident.id,
            version: 1,
            actor: incident.rule === null ? `action:${incident.action.id}` : `rule:${incident.rule.id}`,
            verb: 'create',
            changes: '[]',
          })
          .execute();
        await publishEvents(transaction, [storable(event)]);
        return made;
      }),
  };
}
