// The run that a command asks for, as a pure function of the command.
//
// Invariant: a job or a time range that has no value fails; it never becomes another job, or all of time.
import type { Command, JobRequest } from '@tocsin/schemas/types.ts';
import type { AskedFor } from '../../domain/action/ask/ask.ts';
import { idText } from '../../domain/action/ask/assets.ts';
import { recordHead } from '../../domain/action/ask/record.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { asRecord } from '../../domain/action/ticket/read.ts';
import { parseInstant } from '../../domain/rules/instant.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { viewsOf } from '../../domain/templates/view.ts';
import type { RunJobParams } from './params.ts';

/** Throws TemplateError. `now`: epoch ms of the attempt, for templates only. */
export function jobRequest(command: Command, params: RunJobParams, now: number): AskedFor | Failed {
  const views = viewsOf(command, { now });
  const name = renderText(params.job, views, 'none');
  if (name.empty.length > 0) return failed('template', `job: {{${name.empty[0]}}} has no value`);
  const job = idText(name.text);
  if (job === null)
    return failed('invalid_body', `job: ${JSON.stringify(name.text.slice(0, 80))} is no id of a job`);
  const warnings: string[] = [];
  const trees: Pick<JobRequest, 'parameters' | 'global_params'> = {};
  for (const field of ['parameters', 'global_params'] as const) {
    const tree = treeOf(field, params[field], views, warnings);
    if (isFailed(tree)) return tree;
    if (tree !== null) trees[field] = tree;
  }
  const times: Pick<JobRequest, 'time_from' | 'time_to'> = {};
  for (const field of ['time_from', 'time_to'] as const) {
    const time = timeOf(field, params[field], views);
    if (isFailed(time)) return time;
    if (time !== null) times[field] = time;
  }
  const { time_from = '', time_to } = times;
  // Both are of one form, where the order of texts is that of time.
  if (time_to !== undefined && time_to < time_from)
    return failed('invalid_body', `time_to: ${time_to} is before ${time_from}`);
  const record: JobRequest = { ...recordHead(command), job, ...trees, ...times };
  return { asked: [{ key: job, record }], output: { correlation_id: command.command_id, job }, warnings };
}

function treeOf(
  field: string,
  tree: Json | undefined,
  views: Views,
  warnings: string[],
): Record<string, unknown> | null | Failed {
  if (tree === undefined) return null;
  const rendered = renderJson(tree, views);
  warnings.push(...warningsOf(field, rendered));
  if (rendered.value === null) return null;
  const object = asRecord(rendered.value);
  return object === null ? failed('invalid_body', `${field}: ${tree as string} is no object`) : { ...object };
}

function timeOf(field: string, template: string | undefined, views: Views): string | null | Failed {
  if (template === undefined) return null;
  const { text, empty } = renderText(template, views, 'none');
  if (empty.length > 0) return failed('template', `${field}: {{${empty[0]}}} has no value`);
  const time = parseInstant(text.trim());
  return time === undefined
    ? failed('invalid_body', `${field}: ${JSON.stringify(text.slice(0, 80))} is no point in time`)
    : new Date(time).toISOString();
}
