// Everything that decides whether parameters fit an action type: its JSON Schema, then its own checks.
//
// Surprise: parameters that were found to fit are remembered by their text. The commands of one action carry the same, whatever revision
// they name, and checking them costs a third of what building a request does.
import { compileCheck, formatIssues, type Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import type { Action, PreviewContext } from './define-action.ts';
import { failed } from './fail.ts';
import type { Failed } from './outcome.ts';

const compiled = new WeakMap<object, (value: unknown) => Issue[]>();

/** Issues of `params` for this action; paths are JSON Pointers into params. An empty list means that they fit. */
export function checkParams(action: Pick<Action, 'manifest' | 'check'>, params: unknown): Issue[] {
  let check = compiled.get(action.manifest.params);
  if (check === undefined) {
    check = compileCheck(action.manifest.params);
    compiled.set(action.manifest.params, check);
  }
  const issues = check(params);
  return issues.length > 0 ? issues : action.check(params as Readonly<Record<string, unknown>>);
}

/** Texts of parameters that fit, per action: how many, and of how many characters each. */
const rememberedTexts = 1_000;
const rememberedChars = 16 * 1024;

/**
 * The action with its checks in front: a command whose parameters do not fit, or contradict the connection, has no effect.
 * Commands come from a topic, and what was saved long ago or came from a file may have passed no check at all.
 */
export function checked(action: Action): Action {
  const fitting = new Set<string>();
  const issuesOf = ({ params }: Command): Issue[] => {
    const text = JSON.stringify(params);
    if (fitting.has(text)) return [];
    const issues = checkParams(action, params);
    if (issues.length > 0 || text.length > rememberedChars) return issues;
    if (fitting.size >= rememberedTexts) fitting.delete(fitting.values().next().value as string);
    fitting.add(text);
    return issues;
  };
  const refusal = (command: Command, { connection }: PreviewContext): Failed | null => {
    const issues = issuesOf(command);
    if (issues.length === 0 && connection !== null)
      issues.push(...(action.checkConnection?.(command.params, connection.config) ?? []));
    return issues.length === 0 ? null : failed('invalid_params', formatIssues(issues));
  };
  return {
    ...action,
    preview: (command, context) => refusal(command, context) ?? action.preview(command, context),
    execute: async (command, context) => refusal(command, context) ?? action.execute(command, context),
  };
}
