// Parameters of the run-job action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import { type AskParams, checkAsk } from '../../domain/action/ask/params.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { parseInstant } from '../../domain/rules/instant.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { checkJsonTemplate } from '../../domain/templates/json-template.ts';
import { parseTemplate } from '../../domain/templates/parse.ts';

export interface RunJobParams extends AskParams {
  readonly job: string;
  readonly parameters?: Json;
  readonly global_params?: Json;
  readonly time_from?: string;
  readonly time_to?: string;
}

/** Issues of schema-valid parameters. */
export function checkRunJob(params: RunJobParams): Issue[] {
  return [
    ...checkAsk(params, { httpOnly: ['id_at'] }),
    ...checkTemplate(params.job, 'none', '/job'),
    ...(['parameters', 'global_params'] as const).flatMap((name) => checkTree(params[name], `/${name}`)),
    ...(['time_from', 'time_to'] as const).flatMap((name) => checkTime(params[name], `/${name}`)),
  ];
}

// A text is one token: anything else could never be an object.
function checkTree(tree: Json | undefined, path: string): Issue[] {
  if (tree === undefined) return [];
  const issues = checkJsonTemplate(tree, path);
  if (issues.length > 0 || typeof tree !== 'string') return issues;
  const { nodes } = parseTemplate(tree, { raw: false });
  return nodes.length === 1 && nodes[0]?.kind === 'variable'
    ? []
    : [{ path, message: 'must be an object, or one token that names an object' }];
}

function checkTime(time: string | undefined, path: string): Issue[] {
  const issues = checkTemplate(time, 'none', path);
  if (issues.length > 0 || time === undefined || time.includes('{{')) return issues;
  return parseInstant(time) === undefined ? [{ path, message: 'is no point in time' }] : [];
}
