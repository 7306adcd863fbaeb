// Names of variables, and texts that name them: `{{finding.title}}` here, `__finding_title__:value` there (section 10.18).
//
// Invariant: the same path has the same name in every export, and two paths have different names.
import { digestOf } from '../../digest.ts';

const roots: ReadonlySet<string> = new Set([
  'event',
  'finding',
  'steps',
  'run',
  'params',
  'vars',
  'item',
  'index',
]);

/** Whether a path of a condition or template names one value that can stand in a variable. */
export function isPath(text: string): boolean {
  return (
    /^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$/.test(text) &&
    text.length <= 150 &&
    roots.has(text.split('.', 1)[0] as string)
  );
}

/** `__steps_confirm_outputs_open__` of `steps.confirm.outputs.open`; other characters than letters and digits add a hash. */
export function variableOf(path: string): string {
  const plain = path.replace(/[^A-Za-z0-9]/g, '_');
  return `__${plain}${/^[A-Za-z0-9.]*$/.test(path) ? '' : `_${digestOf(path).slice(0, 8)}`}__`;
}

const reference = /(__[A-Za-z][A-Za-z0-9_-]{0,198}?__):value/g;

/** A text of ours with its plain tags as variables; `use` hears of each path. */
export function toReferences(text: string, use: (path: string) => string): string {
  return text.replace(/\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}/g, (tag, path: string) =>
    isPath(path) ? `${use(path)}:value` : tag,
  );
}

/** A text of others as a template: variables that are known are tags, braces that would start one are parted. */
export function toTemplate(text: string, pathOf: (variable: string) => string | undefined): string {
  return text.replace(/\{(?=\{)/g, '{ ').replace(reference, (whole, name: string) => {
    const path = pathOf(name);
    return path === undefined ? whole : `{{${path}}}`;
  });
}

/** The variable that a text is, such as `__x__:value` or `__x__`; null when it is something else. */
export function variableIn(text: string): string | null {
  return /^\s*(__[A-Za-z][A-Za-z0-9_-]{0,198}?__)(?::value)?\s*$/.exec(text)?.[1] ?? null;
}
