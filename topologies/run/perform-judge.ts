// What follows an attempt: the end of the command, or another attempt and when. Pure.
//
// Invariant: an attempt that may have had an effect is repeated only where a repeat is allowed, and is remembered as a
// possible duplicate. A destination that refuses us burns no attempts; the time it has refused us is counted without gaps.
//
// Surprise: the words of the end name what ended it. A command that nobody would let in was not "tried 10 times".
import type { RetryPolicy } from '@tocsin/schemas/types.ts';
import type { Failed, Outcome, Progress } from '../domain/action/outcome.ts';
import { nextDelay } from '../domain/action/retry-policy.ts';
import type { LaneVerdict } from './lane.ts';
import { isDown } from './perform-command.ts';

/** What is known of a command's attempts so far; kept while it is parked, otherwise lost with the process. */
export interface Attempts {
  /** Attempts that count against the retry policy. */
  readonly count: number;
  readonly possibleDuplicate: boolean;
  /** That is about earlier rounds alone: somebody asked for another one, and no attempt of this one may have had an effect. */
  readonly reopened?: true;
  /** The destination refuses us since then without a break, epoch ms, and how often it was asked. */
  readonly refused: { readonly since: number; readonly times: number } | null;
  /** When an attempt failed first, epoch ms. */
  readonly failedSince: number | null;
  /** What the attempts have noted: the ledger knows as much, unless the command has waited for longer than that keeps it. */
  readonly progress?: Progress;
}

export const noAttempts: Attempts = { count: 0, possibleDuplicate: false, refused: null, failedSince: null };

export interface JudgeRules {
  readonly commandId: string;
  readonly retry: RetryPolicy;
  /** An effect that may have happened is not repeated. */
  readonly hold: boolean;
  /** How long a destination may refuse us, ms. */
  readonly pauseMaxMs: number;
}

export interface Judgement {
  /** What the attempt said about the destination. */
  readonly verdict: LaneVerdict;
  readonly attempts: Attempts;
  readonly next:
    | { readonly step: 'end'; readonly outcome: Outcome }
    /** `delayMs` null: as soon as the destination is tried again. */
    | { readonly step: 'retry'; readonly failure: Failed; readonly delayMs: number | null };
}

/** `attempts` counts the attempt that ended with `outcome` at `now` (epoch ms). */
export function judgeAttempt(
  attempts: Attempts,
  outcome: Outcome,
  now: number,
  rules: JudgeRules,
): Judgement {
  const end = (verdict: LaneVerdict, final: Outcome, after: Attempts = attempts): Judgement => ({
    verdict,
    attempts: after,
    next: { step: 'end', outcome: final },
  });
  if (outcome.status === 'done' || outcome.retry === 'never') return end('up', outcome);
  const verdict = outcome.retry === 'pause' ? 'pause' : isDown(outcome) ? 'down' : 'up';
  if (outcome.uncertain === true && rules.hold) return end(verdict, held(outcome));
  const possibleDuplicate = attempts.possibleDuplicate || outcome.uncertain === true;
  const failedSince = attempts.failedSince ?? now;
  const before = outcome.uncertain === true ? without(attempts) : attempts;
  if (outcome.retry === 'pause') {
    const refused = { since: attempts.refused?.since ?? now, times: (attempts.refused?.times ?? 0) + 1 };
    const forMs = now - refused.since;
    const paused = { ...before, possibleDuplicate, refused, failedSince };
    if (forMs > rules.pauseMaxMs) {
      const detail = `gave up: not accepted for ${inWords(forMs)} (asked ${times(refused.times)}): ${outcome.detail}`;
      return end(verdict, { ...outcome, detail }, paused);
    }
    const uncounted = { ...paused, count: attempts.count - 1 };
    return { verdict, attempts: uncounted, next: { step: 'retry', failure: outcome, delayMs: null } };
  }
  const failed = { ...before, possibleDuplicate, refused: null, failedSince };
  const delayMs = nextDelay(rules.retry, attempts.count, rules.commandId, outcome);
  if (delayMs === null) {
    const detail = `gave up after ${attempts.count === 1 ? '1 attempt' : `${attempts.count} attempts`}: ${outcome.detail}`;
    return end(verdict, { ...outcome, detail }, failed);
  }
  return { verdict, attempts: failed, next: { step: 'retry', failure: outcome, delayMs } };
}

function without({ reopened: _, ...attempts }: Attempts): Attempts {
  return attempts;
}

/** The end of a command that was given up: it is not tried again, and what would be held for somebody to decide has been decided. */
export function givenUp(outcome: Outcome, begun: boolean, reason: string): Outcome {
  if (outcome.status === 'done' || (outcome.retry === 'never' && outcome.code !== 'uncertain'))
    return outcome;
  const { output, detail } = outcome;
  const mayHave = begun || outcome.uncertain === true || outcome.code === 'uncertain';
  return {
    status: 'failed',
    code: mayHave ? 'cancelled_uncertain' : 'cancelled',
    retry: 'never',
    detail: `${reason}: ${detail}`.slice(0, 1024),
    ...(mayHave ? { uncertain: true } : {}),
    ...(output === undefined ? {} : { output }),
  };
}

/** The end of a command whose effect may have happened and must not be repeated. */
function held(outcome: Failed): Failed {
  return uncertain(`it may have happened and is not repeated: ${outcome.detail}`);
}

export function uncertain(detail: string): Failed {
  return { status: 'failed', code: 'uncertain', retry: 'never', detail };
}

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

/** A span for people, cut to its largest unit and the next: `45 s`, `2 min`, `24 h 5 min`. */
export function inWords(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return `${Math.floor(ms)} ms`;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}
