// Carries out one script command: build the run, have the host begin it or tell of it, judge its end.
import type { Command } from '@tocsin/schemas/types.ts';
import { checked } from '../../domain/action/check-params.ts';
import type { ActionContext, PreviewContext } from '../../domain/action/define-action.ts';
import { withWarnings } from '../../domain/action/exchange.ts';
import { failed, isFailed, withTemplates } from '../../domain/action/fail.ts';
import type { Failed, Json, Outcome } from '../../domain/action/outcome.ts';
import { shownText } from '../../domain/action/preview.ts';
import { nextDelay } from '../../domain/action/retry-policy.ts';
import { type ScriptTarget, scriptTarget } from '../../domain/script/target.ts';
import { ScriptHostFailure } from '../../ports/script-host.ts';
import { judgeEnd, judgeScriptFailure } from './judge.ts';
import { manifest } from './manifest.ts';
import { checkScript, checkScriptHost, type ScriptParams } from './params.ts';
import { scriptRun, type WantedRun } from './request.ts';

export const script = checked({
  manifest,
  check: (params) => checkScript(params as ScriptParams),
  checkConnection: (params, connection) => checkScriptHost(params as ScriptParams, connection),
  preview(command, context) {
    const built = build(command, context);
    if (isFailed(built)) return built;
    const { run, target } = built;
    const output: Json = {
      host: target.shown,
      ...shownCall(run),
      environment: Object.fromEntries(
        Object.entries(run.environment).map(([name, value]) => [name, shownText(value)]),
      ),
      stdin: run.stdin === null ? null : shownText(run.stdin),
      time_limit_ms: run.timeLimitMs,
    };
    return withWarnings({ status: 'done', output }, built.warnings);
  },
  async execute(command, context): Promise<Outcome> {
    const { scripts } = context.ports;
    if (scripts === undefined) throw new TypeError('script needs the scripts port');
    const built = build(command, context);
    if (isFailed(built)) return built;
    const { target, subject } = built;
    const cancel = context.cancel ?? new AbortController().signal;
    const askOnly = context.begun === true && command.on_uncertain !== 'retry';
    if (cancel.aborted && context.begun !== true)
      return failed('cancelled', `cancelled before it was begun: ${subject}`);
    try {
      const end = await scripts.run(
        target.host,
        { ...built.run, askOnly: askOnly || cancel.aborted },
        { cancel, signal: context.signal },
      );
      return withWarnings(judgeEnd(end, subject), built.warnings);
    } catch (error) {
      if (error instanceof ScriptHostFailure)
        return heldAtEnd(judgeScriptFailure(error, subject), command, context);
      throw error;
    }
  },
});

/** Nobody is asked again: a run that may have been begun is held, and is no failure like one that was not. */
function heldAtEnd(outcome: Failed, { retry = {}, command_id }: Command, { attempt }: ActionContext): Failed {
  if (outcome.uncertain !== true || nextDelay(retry, attempt, command_id, outcome) !== null) return outcome;
  return failed('uncertain', `gave up asking how it ended: ${outcome.detail}`);
}

interface Built {
  readonly run: WantedRun;
  readonly warnings: readonly string[];
  readonly target: ScriptTarget;
  readonly subject: string;
}

function build(command: Command, context: PreviewContext): Built | Failed {
  const target = scriptTarget(context.connection);
  if (isFailed(target)) return target;
  const params = command.params as ScriptParams;
  const built = withTemplates(() => scriptRun(command, params, context.now));
  if (isFailed(built)) return built;
  const subject = `${params.script ?? (params.shell === true ? 'shell command' : 'command')} on ${target.shown}`;
  const run = target.resolve(built.run);
  return 'refused' in run
    ? failed('script_refused', `${subject}: ${run.refused}`)
    : { ...built, run, target, subject };
}

function shownCall({ call }: WantedRun): { readonly [name: string]: Json } {
  if ('script' in call) return { script: call.script, arguments: call.arguments.map(shownText) };
  if ('words' in call) return { words: call.words.map(shownText) };
  return { shell: shownText(call.shell), arguments: call.arguments.map(shownText) };
}
