// Builds the run of a script command: a pure function of command, host and time.
//
// Invariant: a value is one argument, one variable or part of standard input, whole and unchanged; it never is an option that the
// action does not spell, and never part of a text that a shell reads.
import type { Command } from '@tocsin/schemas/types.ts';
import { failed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import type { ScriptCall } from '../../domain/script/catalogue.ts';
import { literalText } from '../../domain/templates/check.ts';
import { jsonText } from '../../domain/templates/escape.ts';
import { lookup, type Views } from '../../domain/templates/lookup.ts';
import { parseTemplate } from '../../domain/templates/parse.ts';
import { render, warningsOf } from '../../domain/templates/render.ts';
import { rowsOf, viewsOf } from '../../domain/templates/view.ts';
import type { ScriptRun } from '../../ports/script-host.ts';
import type { ScriptParams } from './params.ts';
import { wordsOf } from './words.ts';

export type WantedRun = Omit<ScriptRun, 'askOnly'>;

/** UTF-8 bytes of standard input; more than any command of the log can carry. */
export const maxStdinBytes = 4 * 1024 * 1024;

/** Throws TemplateError when a template cannot be rendered. `now`: epoch ms of this attempt. */
export function scriptRun(
  command: Command,
  params: ScriptParams,
  now: number,
): { readonly run: WantedRun; readonly warnings: readonly string[] } | Failed {
  const warnings = new Set<string>();
  const fill = filler(viewsOf(command, { now }), warnings);
  const call = callOf(params, fill);
  if ('status' in call) return call;
  const environment: Record<string, string> = {};
  for (const [name, template] of Object.entries(params.environment ?? {}))
    environment[name] = fill(template, `environment ${name}`).text;
  const stdin = stdinOf(command, params, warnings);
  if (stdin !== null && Buffer.byteLength(stdin) > maxStdinBytes)
    return failed('too_large', `standard input has more than ${maxStdinBytes} bytes`);
  return {
    run: {
      commandId: command.command_id,
      round: command.round ?? 1,
      call,
      environment,
      stdin,
      timeLimitMs: limitOf(command, params),
    },
    warnings: [...warnings],
  };
}

interface Filled {
  readonly text: string;
  /** What the action spells itself, without values. */
  readonly literal: string;
}

type Fill = (template: string, field: string) => Filled;

function filler(views: Views, warnings: Set<string>): Fill {
  return (text, field) => {
    const template = parseTemplate(text, { raw: true });
    const rendered = render(template, views, 'none');
    for (const warning of warningsOf(field, rendered)) warnings.add(warning);
    return { text: rendered.text.toWellFormed(), literal: literalText(template) };
  };
}

function callOf(params: ScriptParams, fill: Fill): ScriptCall | Failed {
  const { script, command = '', shell = false } = params;
  const given = (params.arguments ?? []).map((template, index) => fill(template, `argument ${index + 1}`));
  const smuggled = optionByValue(given);
  if (smuggled !== null) return smuggled;
  const texts = given.map(({ text }) => text);
  if (script !== undefined) return { script, arguments: texts };
  if (shell) return { shell: command, arguments: texts };
  const read = wordsOf(command);
  if ('problem' in read) return failed('invalid_params', `/command ${read.problem}`);
  const words = read.words.map((template) => fill(template, 'command'));
  return optionByValue(words) ?? { words: words.map(({ text }) => text) };
}

/** A value must not become an option: `--config=/x` where the action says `{{data.title}}`. */
function optionByValue(given: readonly Filled[]): Failed | null {
  const index = given.findIndex(({ text, literal }) => text.startsWith('-') && !literal.startsWith('-'));
  if (index < 0) return null;
  return failed(
    'script_refused',
    `argument ${index + 1} begins with "-" because of a value; spell the option before it, as in --name={{value}}`,
  );
}

function stdinOf(
  command: Command,
  { stdin = 'rows', fields }: ScriptParams,
  warnings: Set<string>,
): string | null {
  if (stdin === 'none') return null;
  if (stdin === 'event') return `${jsonText(command.subject.event ?? {})}\n`;
  return rowsOf(command)
    .map((row) => {
      if (fields === undefined) return `${jsonText(row)}\n`;
      const chosen: [string, unknown][] = [];
      for (const name of fields) {
        const value = lookup(name, [row]);
        if (value === undefined) warnings.add(`fields: ${name} is missing in some results`);
        else chosen.push([name, value]);
      }
      return `${jsonText(Object.fromEntries(chosen))}\n`;
    })
    .join('');
}

/** The shorter of what the action and the step of a playbook allow, ms. */
function limitOf({ timeout_ms }: Command, { time_limit }: ScriptParams): number | null {
  if (time_limit === undefined) return timeout_ms ?? null;
  return Math.min(time_limit * 1000, timeout_ms ?? Number.POSITIVE_INFINITY);
}
