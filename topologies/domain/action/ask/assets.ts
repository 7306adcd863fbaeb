// The assets that a command is about, each once, with the rows that name it.
//
// Invariant: an asset is a text of 1 to 256 characters without controls; what is none is left out with a warning, and a command that
// is left with nothing fails.
import type { Command } from '@tocsin/schemas/types.ts';
import { renderJson } from '../../templates/json-template.ts';
import type { Views } from '../../templates/lookup.ts';
import { rowsOf, viewsOf } from '../../templates/view.ts';
import { failed } from '../fail.ts';
import type { Failed, Json } from '../outcome.ts';

export interface NamedAsset {
  readonly asset: string;
  /** Views of the event, or of each row that names the asset. */
  readonly views: readonly Views[];
}

export interface NamedAssets {
  readonly assets: readonly NamedAsset[];
  readonly warnings: readonly string[];
}

/** Assets of one command; more of them are refused. */
export const assetsMax = 500;

/** Throws TemplateError. `now`: epoch ms of the attempt. */
export function assetsOf(command: Command, template: Json, now: number): NamedAssets | Failed {
  const found = new Map<string, Views[]>();
  const problems: string[] = [];
  let isMissing = true;
  for (const { at, views } of subjectsOf(command, now)) {
    const rendered = renderJson(template, views);
    problems.push(...rendered.missing.map((name) => `${at}asset: {{${name}}} has no value`));
    for (const element of elementsOf(rendered.value)) {
      const asset = idText(element);
      if (asset === null) {
        isMissing = false;
        problems.push(`${at}asset: ${JSON.stringify(element).slice(0, 80)} is no id of an asset`);
      } else if (found.get(asset)?.includes(views) !== true)
        found.set(asset, [...(found.get(asset) ?? []), views]);
    }
  }
  if (found.size === 0)
    return failed(isMissing ? 'template' : 'invalid_body', problems[0] ?? 'asset: has no value');
  if (found.size > assetsMax)
    return failed('too_large', `asset: ${found.size} assets, at most ${assetsMax} go into one command`);
  const assets = [...found].map(([asset, views]) => ({ asset, views }));
  return { assets, warnings: problems.map((problem) => `${problem}; left out`) };
}

/** The event, or each row of mode all as if it were alone. */
function subjectsOf(command: Command, now: number): { readonly at: string; readonly views: Views }[] {
  if (command.mode !== 'all' || command.subject.rows === undefined)
    return [{ at: '', views: viewsOf(command, { now }) }];
  return rowsOf(command).map((row, index) => ({
    at: `row ${index}: `,
    views: viewsOf(command, { now, row }),
  }));
}

/** What a rendered parameter names: the members of lists and of lists in them, without those that are empty. */
export function elementsOf(value: Json): Json[] {
  if (Array.isArray(value)) return value.flatMap(elementsOf);
  return value === null || value === '' ? [] : [value];
}

/** The text of an id, trimmed; null when it is none. */
export function idText(value: unknown): string | null {
  if (Number.isSafeInteger(value)) return String(value);
  if (typeof value !== 'string') return null;
  const text = value.trim();
  const isId =
    text !== '' && text.length <= 256 && text.isWellFormed() && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text);
  return isId ? text : null;
}
