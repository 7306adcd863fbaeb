// Everything that decides whether parameters fit an action type: its JSON Schema, then its own checks.
import { compileCheck, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Action } from './define-action.ts';

const compiled = new WeakMap<object, (value: unknown) => Issue[]>();

/** Issues of `params` for this action; paths are JSON Pointers into params. An empty list means that they fit. */
export function checkParams(action: Action, params: unknown): Issue[] {
  let check = compiled.get(action.manifest.params);
  if (check === undefined) {
    check = compileCheck(action.manifest.params);
    compiled.set(action.manifest.params, check);
  }
  const issues = check(params);
  return issues.length > 0 ? issues : action.check(params as Readonly<Record<string, unknown>>);
}
