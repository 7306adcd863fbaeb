// Where the mitre action puts what it records.
//
// Invariant: one command makes one record, and record and event are written together: a command that comes again changes nothing.
import type { MitreRecord } from '../domain/mitre/record.ts';
import type { EngineEvent } from './incident-store.ts';

/** What the action tells of a record, as it was when it was made. */
export interface RecordedTechniques {
  readonly layer: string;
  readonly techniques: readonly string[];
  readonly incident_id: string | null;
}

export interface MitreStorePort {
  /** The record that the command made, now or before. Rejects with StoreUnavailable. */
  record(record: MitreRecord, event: EngineEvent): Promise<RecordedTechniques>;
}

export function recordedOf({ layer, techniques, incident_id }: MitreRecord): RecordedTechniques {
  return { layer, techniques, incident_id };
}
