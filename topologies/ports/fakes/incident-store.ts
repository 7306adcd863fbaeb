// The store of incidents in memory.
import type { NewIncident } from '../../domain/incident/incident.ts';
import { type EngineEvent, type IncidentStorePort, madeOf } from '../incident-store.ts';

export interface FakeIncidentStore extends IncidentStorePort {
  readonly incidents: readonly NewIncident[];
  readonly events: readonly EngineEvent[];
  /** The next calls reject with these errors, one each. */
  fail(...errors: readonly Error[]): void;
}

export function fakeIncidentStore(): FakeIncidentStore {
  const incidents: NewIncident[] = [];
  const events: EngineEvent[] = [];
  const errors: Error[] = [];
  return {
    incidents,
    events,
    fail(...next) {
      errors.push(...next);
    },
    async create(incident, event) {
      const error = errors.shift();
      if (error !== undefined) throw error;
      const first = incidents.find(({ command_id }) => command_id === incident.command_id);
      if (first !== undefined) return madeOf(first);
      incidents.push(structuredClone(incident));
      events.push(event);
      return madeOf(incident);
    },
  };
}
