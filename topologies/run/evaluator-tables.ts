// The evaluator's tables over the action types of this release: one call for the service and for the in-memory system.
import { actions, manifests } from '../actions/registry.ts';
import type { Action } from '../domain/action/define-action.ts';
import type { VersionOrigin } from '../domain/evaluate/playbook-heads.ts';
import { type EvaluatorConfig, followConfig, type LiveTables } from '../domain/evaluate/tables.ts';

const types = new Map<string, Action>(Object.entries(actions));

/** Tables that follow a configuration; see followConfig. `seed`: 32 random bits. */
export function evaluatorTables(
  config: EvaluatorConfig,
  seed: number,
  versions: VersionOrigin = 'published',
): LiveTables {
  return followConfig(config, manifests, {
    modeOf: (type, params) => types.get(type)?.modeOf?.(params) ?? null,
    seed,
    versions,
  });
}
