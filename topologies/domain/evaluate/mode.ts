// How often an action runs for a result set: once per row, for the first row, or once for all rows.
//
// Invariant: the most specific setting wins: entry of the rule, then the action, then the rule, then the parameters of
// the command, then the action type.
import type { ActionConfig, Command, Rule, ThenAction } from '@tocsin/schemas/types.ts';
import type { Action, ActionManifest } from '../action/define-action.ts';

export type Mode = Command['mode'];

/** The mode that parameters of an action type ask for: `Action.modeOf` by type. */
export type ModeOf = (type: string, params: Command['params']) => ReturnType<NonNullable<Action['modeOf']>>;

export interface ModeSettings {
  readonly rule: Rule;
  readonly entry: ThenAction;
  readonly action: ActionConfig;
  readonly manifest: ActionManifest;
  /** Of the command: those of the action with `with` applied. */
  readonly params: Command['params'];
  readonly modeOf: ModeOf;
}

export interface ResolvedMode {
  readonly mode: Mode;
  /** A `run_once: true` (or `run: once`) decided it: then it also wins over what the parameters ask for. */
  readonly runOnce: boolean;
}

/** `run_once: true` means what the type says (all for e-mail, first for webhook); `run_once: false` means each. */
export function resolveMode({ rule, entry, action, manifest, params, modeOf }: ModeSettings): ResolvedMode {
  const ofMode = (mode: Mode | null | undefined): ResolvedMode | undefined =>
    mode === null || mode === undefined ? undefined : { mode, runOnce: false };
  const ofRunOnce = (runOnce: boolean | undefined): ResolvedMode | undefined =>
    runOnce === undefined ? undefined : { mode: runOnce ? manifest.runOnce : 'each', runOnce };
  return (
    ofMode(entry.mode) ??
    ofRunOnce(entry.run_once) ??
    ofMode(action.mode) ??
    ofRunOnce(action.run_once) ??
    ofRunOnce(rule.run === undefined ? undefined : rule.run === 'once') ??
    ofMode(modeOf(action.type, params)) ?? { mode: manifest.defaultMode, runOnce: false }
  );
}
