// Where the incident action puts incidents.
//
// Invariant: one command makes one incident. Incident, first line of its history and its event are written together or not at all.
import type { NewIncident } from '../domain/incident/incident.ts';

/** A record of the topic of the engine's events. */
export interface EngineEvent {
  readonly key: string;
  /** JSON text of an event envelope. */
  readonly value: string;
}

/** What the action tells of an incident: as it was when it was made, also when the command comes again much later. */
export interface MadeIncident {
  readonly incident_id: string;
  readonly title: string;
  readonly severity: string;
  readonly status: string;
}

export interface IncidentStorePort {
  /** The incident that the command made, now or before. Rejects with StoreUnavailable. */
  create(incident: NewIncident, event: EngineEvent): Promise<MadeIncident>;
}

export function madeOf({ id, title, severity, status }: NewIncident): MadeIncident {
  return { incident_id: id, title, severity, status };
}
