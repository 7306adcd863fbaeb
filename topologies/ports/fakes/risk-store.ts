// The store of risk scores in memory.
import { objectKey, type RiskScore, totalAt } from '../../domain/risk/score.ts';
import type { EngineEvent } from '../incident-store.ts';
import type { RiskStorePort, ScoredObject } from '../risk-store.ts';

export interface FakeRiskStore extends RiskStorePort {
  readonly scores: readonly (RiskScore & { readonly command_id: string })[];
  readonly events: readonly EngineEvent[];
  /** The next calls reject with these errors, one each. */
  fail(...errors: readonly Error[]): void;
}

export function fakeRiskStore(): FakeRiskStore {
  const scores: (RiskScore & { command_id: string; tenant: string })[] = [];
  const events: EngineEvent[] = [];
  const made = new Map<string, readonly ScoredObject[]>();
  const errors: Error[] = [];
  return {
    scores,
    events,
    fail(...next) {
      errors.push(...next);
    },
    async record({ command_id, tenant, scores: added, eventOf }) {
      const error = errors.shift();
      if (error !== undefined) throw error;
      const first = made.get(command_id);
      if (first !== undefined) return first;
      const answer = added.map((score) => {
        scores.push({ ...structuredClone(score), command_id, tenant });
        const own = scores.filter(
          (one) => one.tenant === tenant && objectKey(one.object) === objectKey(score.object),
        );
        const total = totalAt(own, Math.max(...own.map(({ scored_at }) => scored_at)));
        events.push(eventOf(score, total));
        return { object: score.object, effective: score.effective, total };
      });
      made.set(command_id, answer);
      return answer;
    },
  };
}
