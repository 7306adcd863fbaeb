// The evaluator's tables over the action types of this release: one call for the service and for the in-memory system.
import { actions } from '../actions/registry.ts';
import type { Action } from '../domain/action/define-action.ts';
import { buildTables, type EvaluatorConfig, type EvaluatorTables } from '../domain/evaluate/tables.ts';

const types = new Map<string, Action>(Object.entries(actions));
const manifests = new Map([...types].map(([type, { manifest }]) => [type, manifest]));

/** Tables for a configuration; see buildTables. */
export function evaluatorTables(config: EvaluatorConfig): EvaluatorTables {
  return buildTables(config, manifests, {
    modeOf: (type, params) => types.get(type)?.modeOf?.(params) ?? null,
  });
}
