// The change of tags that a command asks for, one for each asset, as a pure function of the command.
//
// Invariant: a change says what to add and what to remove, never what all tags are, so that changes made at the same time lose nothing.
//
// Surprise: a tag on both lists is added. So a list of all marks of a kind can be removed while one of them is set.
import type { AssetUpdate, Command } from '@tocsin/schemas/types.ts';
import type { AskedFor } from '../../domain/action/ask/ask.ts';
import { assetsOf, elementsOf, type NamedAsset } from '../../domain/action/ask/assets.ts';
import { recordHead } from '../../domain/action/ask/record.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { foldOf, type TagParams, tagOf } from './params.ts';

/** Throws TemplateError. `now`: epoch ms of the attempt, for templates only. */
export function assetUpdates(command: Command, params: TagParams, now: number): AskedFor | Failed {
  const named = assetsOf(command, params.asset, now);
  if (isFailed(named)) return named;
  const problems: string[] = [];
  const updates = named.assets.flatMap((each) => updateOf(command, params, each, problems) ?? []);
  if (updates.length === 0)
    return failed(
      problems.some((problem) => problem.endsWith('is no tag')) ? 'invalid_body' : 'template',
      problems[0] ?? 'add: no tag has a value',
    );
  const [first] = updates as [AssetUpdate, ...AssetUpdate[]];
  return {
    asked: updates.map((record) => ({ key: record.asset, record })),
    output: {
      correlation_id: command.command_id,
      assets: updates.map(({ asset }) => asset).slice(0, 100),
      changes: updates.length,
      ...(updates.length === 1 ? { add_tags: first.add_tags, remove_tags: first.remove_tags } : {}),
    },
    warnings: [...named.warnings, ...new Set(problems.map((problem) => `${problem}; left out`))],
  };
}

/** null: no tag is left. */
function updateOf(
  command: Command,
  params: TagParams,
  { asset, views }: NamedAsset,
  problems: string[],
): AssetUpdate | null {
  const add = tagsOf('add', params.add ?? [], views, problems);
  const remove = tagsOf('remove', params.remove ?? [], views, problems);
  for (const fold of add.keys()) remove.delete(fold);
  if (add.size + remove.size === 0) return null;
  return { ...recordHead(command), asset, add_tags: [...add.values()], remove_tags: [...remove.values()] };
}

/** Tags by what they are compared by; the first spelling stays. */
function tagsOf(
  field: string,
  templates: readonly string[],
  views: readonly Views[],
  problems: string[],
): Map<string, string> {
  const tags = new Map<string, string>();
  for (const view of views)
    for (const [index, template] of templates.entries()) {
      const rendered = renderJson(template, view);
      problems.push(...rendered.missing.map((name) => `${field}/${index}: {{${name}}} has no value`));
      // A tag of which a part is missing would be another tag.
      if (rendered.missing.length > 0) continue;
      for (const element of elementsOf(rendered.value)) {
        const tag = tagOf(element);
        if (tag === null)
          problems.push(`${field}/${index}: ${JSON.stringify(element).slice(0, 80)} is no tag`);
        else if (!tags.has(foldOf(tag))) tags.set(foldOf(tag), tag);
      }
    }
  return tags;
}
