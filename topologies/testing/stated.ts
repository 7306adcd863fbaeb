// An outcome says nothing that the manifest of its type does not state: no other output, no other failure code.
import type { Action } from '../domain/action/define-action.ts';
import { failuresOf } from '../domain/action/failures.ts';
import type { Outcome } from '../domain/action/outcome.ts';

/** The outcome of an attempt, unchanged. Throws when the manifest does not state a member of its output, or its code. */
export function checkStated({ manifest }: Pick<Action, 'manifest'>, outcome: Outcome): Outcome {
  if (outcome.status === 'failed' && !failuresOf(manifest).includes(outcome.code))
    throw new Error(`the manifest of ${manifest.id} does not name the failure code ${outcome.code}`);
  const members = typeof outcome.output === 'object' && outcome.status === 'done' ? outcome.output : {};
  const unknown = Object.keys(members ?? {}).find((name) => !Object.hasOwn(manifest.outputs, name));
  if (unknown !== undefined)
    throw new Error(`the manifest of ${manifest.id} does not name the output ${unknown}`);
  return outcome;
}
