// How often an action runs for a result set: once per row, for the first row, or once for all rows.
//
// Invariant: the most specific setting wins: entry of the rule, then the action, then the rule, then the action type.
import type { ActionConfig, Command, Rule, ThenAction } from '@tocsin/schemas/types.ts';
import type { ActionManifest } from '../action/define-action.ts';

export type Mode = Command['mode'];

/** `run_once: true` means what the type says (all for e-mail, first for webhook); `run_once: false` means each. */
export function resolveMode(
  rule: Rule,
  entry: ThenAction,
  action: ActionConfig,
  manifest: ActionManifest,
): Mode {
  const ofRunOnce = (runOnce: boolean | undefined): Mode | undefined => {
    if (runOnce === undefined) return undefined;
    return runOnce ? manifest.runOnce : 'each';
  };
  return (
    entry.mode ??
    ofRunOnce(entry.run_once) ??
    action.mode ??
    ofRunOnce(action.run_once) ??
    ofRunOnce(rule.run === undefined ? undefined : rule.run === 'once') ??
    manifest.defaultMode
  );
}
