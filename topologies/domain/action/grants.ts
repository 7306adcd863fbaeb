// Who may use a privileged action type: the grant `action:<type>`, which config records and playbook versions carry from the moment
// they were saved, and commands from there.
//
// Invariant: a command of a privileged type without its grant has no effect, whatever brought it onto the topic.

import type { Action, ActionManifest } from './define-action.ts';
import { failed } from './fail.ts';
import type { Failed } from './outcome.ts';

export type ActionGrant = `action:${string}`;

/** Held by whoever owns the whole configuration, as the owner of a folder of files does. */
export const everyGrant = 'admin';

export function grantOf(type: string): ActionGrant {
  return `action:${type}`;
}

/** `grants` left out: none. */
export function holdsGrant(grants: readonly string[] | undefined, type: string): boolean {
  return grants !== undefined && (grants.includes(everyGrant) || grants.includes(grantOf(type)));
}

/** Member of a command of the type: its grant, when everything that it comes from was saved with it. */
export function commandGrants(
  type: string,
  ...savedWith: readonly (readonly string[] | undefined)[]
): { readonly grants?: [ActionGrant] } {
  return savedWith.every((grants) => holdsGrant(grants, type)) ? { grants: [grantOf(type)] } : {};
}

/** The privileged types of a catalogue. */
export function privilegedTypes(
  manifests: Iterable<Pick<ActionManifest, 'id' | 'privileged'>>,
): ReadonlySet<string> {
  const types = new Set<string>();
  for (const { id, privileged } of manifests) if (privileged === true) types.add(id);
  return types;
}

/** The grants that these uses need, each once, sorted. */
export function grantsNeeded(
  uses: readonly { readonly type: string }[],
  privileged: ReadonlySet<string>,
): ActionGrant[] {
  const types = new Set(uses.map(({ type }) => type).filter((type) => privileged.has(type)));
  return [...types].sort().map(grantOf);
}

/** The action as it is; a privileged one refuses commands without its grant, dry runs included. */
export function guarded(action: Action): Action {
  const { id, privileged } = action.manifest;
  if (privileged !== true) return action;
  const refusal = ({ grants }: { readonly grants?: readonly string[] }): Failed | null =>
    holdsGrant(grants, id)
      ? null
      : failed('denied', `who saved the rule, action or playbook did not hold ${grantOf(id)}`);
  return {
    ...action,
    preview: (command, context) => refusal(command) ?? action.preview(command, context),
    execute: async (command, context) => refusal(command) ?? action.execute(command, context),
  };
}
