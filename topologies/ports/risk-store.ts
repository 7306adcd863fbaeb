// Where risk scores are kept, and what an object has in total.
//
// Invariant: one command scores an object once. All scores of a command and their events are written together or not at all, and a
// command that comes again is answered as at first: no replay changes a total.
import type { RiskObject, RiskScore } from '../domain/risk/score.ts';
import type { EngineEvent } from './incident-store.ts';

export interface ScoredObject {
  readonly object: RiskObject;
  /** What this command added. */
  readonly effective: number;
  /** Of all scores of the object that have not expired, this one included, at the time of the newest of them. */
  readonly total: number;
}

export interface RiskBatch {
  readonly command_id: string;
  /** '' without tenant. */
  readonly tenant: string;
  readonly rule: { readonly id: string; readonly name?: string } | null;
  /** Different objects. */
  readonly scores: readonly RiskScore[];
  /** The event of one score. `total` as in ScoredObject. Pure. */
  eventOf(score: RiskScore, total: number): EngineEvent;
}

export interface RiskStorePort {
  /** In the order of the scores. Rejects with StoreUnavailable. */
  record(batch: RiskBatch): Promise<readonly ScoredObject[]>;
}
