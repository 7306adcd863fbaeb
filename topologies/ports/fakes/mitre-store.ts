// The store of techniques in memory.
import type { MitreRecord } from '../../domain/mitre/record.ts';
import type { EngineEvent } from '../incident-store.ts';
import { type MitreStorePort, recordedOf } from '../mitre-store.ts';

export interface FakeMitreStore extends MitreStorePort {
  readonly records: readonly MitreRecord[];
  readonly events: readonly EngineEvent[];
  /** The next calls reject with these errors, one each. */
  fail(...errors: readonly Error[]): void;
}

export function fakeMitreStore(): FakeMitreStore {
  const records: MitreRecord[] = [];
  const events: EngineEvent[] = [];
  const errors: Error[] = [];
  return {
    records,
    events,
    fail(...next) {
      errors.push(...next);
    },
    async record(record, event) {
      const error = errors.shift();
      if (error !== undefined) throw error;
      const first = records.find(({ command_id }) => command_id === record.command_id);
      if (first !== undefined) return recordedOf(first);
      records.push(structuredClone(record));
      events.push(event);
      return recordedOf(record);
    },
  };
}
