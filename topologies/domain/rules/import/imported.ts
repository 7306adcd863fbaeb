// What an import answers: a whole rule document that the rule language accepts, or every reason why there is none.
//
// Invariant: never a half-imported rule. The document is checked by the language itself before it is handed out.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Rule } from '@tocsin/schemas/types.ts';
import { checkRule } from '../parse-rule.ts';

export type Imported =
  | { readonly rule: Rule; readonly issues: []; readonly notes: readonly string[] }
  | { readonly rule: null; readonly issues: readonly [Issue, ...Issue[]]; readonly notes: readonly [] };

/** Why something cannot be imported, while it is read: thrown to the one place that makes the answer. */
export class ImportRefusal extends Error {
  readonly issue: Issue;
  constructor(path: string, message: string) {
    super(message);
    this.issue = { path, message };
  }
}

/** Runs an import and turns its refusal into an answer. Anything else that is thrown is a fault and stays one. */
export function importing(make: () => { rule: Rule; notes: readonly string[] }): Imported {
  try {
    const { rule, notes } = make();
    const issues = checkRule(rule).map(({ path, message }) => ({
      path,
      message: `has no counterpart in this language: ${message}`,
    }));
    return issues.length === 0 ? { rule, issues: [], notes } : refused(issues);
  } catch (error) {
    if (error instanceof ImportRefusal) return refused([error.issue]);
    throw error;
  }
}

export function refused(issues: readonly Issue[]): Imported {
  return { rule: null, issues: issues as [Issue, ...Issue[]], notes: [] };
}

/** A key as a token of a JSON Pointer, RFC 6901 section 3. */
export function pointer(...keys: readonly (string | number)[]): string {
  return keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text as a regular expression that means itself. */
export function escapeRegex(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
