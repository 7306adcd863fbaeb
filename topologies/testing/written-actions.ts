// The actions that are written out in the steps of a document, with their parameters as a run would give them.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { actions } from '../actions/registry.ts';
import { checkParams } from '../domain/action/check-params.ts';

export interface WrittenAction {
  readonly type: string;
  readonly issues: readonly Issue[];
}

/** Those of known types, in order. A reference `{$: path}` counts as a text. */
export function writtenActions(node: unknown): WrittenAction[] {
  if (node === null || typeof node !== 'object') return [];
  const { action, with: given } = node as { action?: { type?: string; params?: object }; with?: object };
  const below = Object.values(node).flatMap(writtenActions);
  if (action?.type === undefined || !Object.hasOwn(actions, action.type)) return below;
  const params = JSON.stringify({ ...action.params, ...given }).replace(/\{"\$":"[^"]*"\}/g, '"SEC-42"');
  const type = action.type as keyof typeof actions;
  return [{ type, issues: checkParams(actions[type], JSON.parse(params)) }, ...below];
}
