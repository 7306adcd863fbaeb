// What the end of a script means, and what it means that none is known.
//
// Invariant: a script that may have been begun is never begun again by itself: what the host cannot tell is `uncertain`, which is held.
//
// Surprise: a script that was broken off by its time limit, or by whoever called for it, has the same code: either way nobody knows
// how far it came.
import { failed } from '../../domain/action/fail.ts';
import type { Failed, FailureCode, Json, Outcome } from '../../domain/action/outcome.ts';
import { outputFields } from '../../domain/script/output.ts';
import type { ScriptEnd, ScriptHostFailure, ScriptHostFailureClass } from '../../ports/script-host.ts';

/** `subject` names script and host for people. */
export function judgeEnd(end: ScriptEnd, subject: string): Outcome {
  const output = outputOf(end);
  const how = end.exitCode === null ? `ended by ${end.signal ?? 'a signal'}` : `exit code ${end.exitCode}`;
  if (end.stopped !== null) {
    const { by, killed } = end.stopped;
    const why = by === 'cancel' ? 'was cancelled' : 'reached its time limit';
    const signals = killed ? 'TERM, then KILL' : 'TERM';
    const detail = `${subject} ${why} and was stopped (${signals}): ${how}; a part of it may have happened`;
    return { ...failed('cancelled_uncertain', detail), uncertain: true, output };
  }
  if (end.exitCode === 0) return { status: 'done', output };
  const last = lastLine(end.stderr.text);
  const detail = `${subject}: ${how}${last === '' ? '' : `: ${last}`}`;
  return { ...failed('script_failed', detail), output };
}

function outputOf({ exitCode, signal, stdout, stderr, startedAt, endedAt, stopped }: ScriptEnd): Json {
  return {
    exit_code: exitCode,
    ...(signal === null ? {} : { signal }),
    ...outputFields(stdout, stderr),
    started_at: startedAt,
    duration_ms: Math.max(0, endedAt - startedAt),
    ...(stopped === null ? {} : { stopped: { by: stopped.by, killed: stopped.killed } }),
  };
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim().slice(0, 300) ?? '';
}

const codes: Readonly<Record<ScriptHostFailureClass, readonly [FailureCode, Failed['retry']]>> = {
  denied: ['denied', 'never'],
  dns: ['dns', 'backoff'],
  connect: ['connect', 'backoff'],
  tls: ['tls', 'pause'],
  host_key: ['host_key', 'pause'],
  auth: ['script_auth', 'pause'],
  timeout: ['timeout', 'backoff'],
  reset: ['reset', 'backoff'],
  protocol: ['protocol', 'backoff'],
  aborted: ['aborted', 'backoff'],
  refused: ['script_refused', 'never'],
  busy: ['script_busy', 'backoff'],
  unknown: ['uncertain', 'never'],
  uncertain: ['uncertain', 'never'],
};

/** No end is known. */
export function judgeScriptFailure({ failure, message, begun }: ScriptHostFailure, subject: string): Failed {
  const [code, retry] = codes[failure];
  return {
    ...failed(code, `${subject}: ${message}`, retry),
    ...(begun && retry !== 'never' ? { uncertain: true } : {}),
  };
}
