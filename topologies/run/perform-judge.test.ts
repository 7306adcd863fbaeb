// The words and the count of every end of a command: they must say what happened.
import { expect, it } from 'vitest';
import type { Failed } from '../domain/action/outcome.ts';
import { type Attempts, inWords, type JudgeRules, judgeAttempt, noAttempts } from './perform-judge.ts';

const rules: JudgeRules = {
  commandId: '0'.repeat(32),
  retry: { max_attempts: 3 },
  hold: false,
  pauseMaxMs: 86_400_000,
};
const failure = (over: Partial<Failed> = {}): Failed => ({
  status: 'failed',
  code: 'http_5xx',
  retry: 'backoff',
  detail: 'answered 503',
  ...over,
});
const attempts = (over: Partial<Attempts> = {}): Attempts => ({ ...noAttempts, count: 1, ...over });
const detailOf = (judgement: ReturnType<typeof judgeAttempt>): string | null =>
  judgement.next.step === 'end' && judgement.next.outcome.status === 'failed'
    ? judgement.next.outcome.detail
    : null;

it('says how many attempts were made', () => {
  const after = (count: number, max: number) =>
    detailOf(judgeAttempt(attempts({ count }), failure(), 0, { ...rules, retry: { max_attempts: max } }));
  expect(after(3, 3)).toBe('gave up after 3 attempts: answered 503');
  expect(after(1, 1)).toBe('gave up after 1 attempt: answered 503');
  expect(after(2, 3)).toBeNull();
});

it('leaves the words of a final failure as they are', () => {
  expect(detailOf(judgeAttempt(attempts(), failure({ retry: 'never' }), 0, rules))).toBe('answered 503');
});

it('says how long a destination refused us and how often it was asked', () => {
  const refusal = failure({ code: 'http_401_403', retry: 'pause', detail: 'answered 401' });
  const waiting = judgeAttempt(attempts({ count: 2 }), refusal, 1_000, rules);
  expect(waiting).toMatchObject({
    verdict: 'pause',
    attempts: { count: 1, refused: { since: 1_000, times: 1 } },
    next: { step: 'retry', delayMs: null },
  });
  const last = judgeAttempt(
    { ...waiting.attempts, count: 2, refused: { since: 1_000, times: 2_879 } },
    refusal,
    86_430_000,
    rules,
  );
  expect(detailOf(last)).toBe('gave up: not accepted for 24 h (asked 2880 times): answered 401');
});

it('counts the time of refusal from its last beginning', () => {
  const { attempts: after } = judgeAttempt(
    attempts({ count: 1, refused: { since: 0, times: 9 } }),
    failure(),
    50_000,
    rules,
  );
  expect(after.refused).toBeNull();
});

it('a hold says that it may have happened; without hold the next attempt is a possible duplicate', () => {
  const doubt = failure({ code: 'timeout', uncertain: true, detail: 'no answer' });
  const held = judgeAttempt(attempts(), doubt, 0, { ...rules, hold: true });
  expect(detailOf(held)).toBe('it may have happened and is not repeated: no answer');
  expect(held).toMatchObject({ verdict: 'down', next: { outcome: { code: 'uncertain', retry: 'never' } } });
  expect(judgeAttempt(attempts(), doubt, 0, rules).attempts.possibleDuplicate).toBe(true);
});

it('a lane that refuses stays paused, also when the end is a hold', () => {
  const doubt = failure({ code: 'tls', retry: 'pause', uncertain: true });
  expect(judgeAttempt(attempts(), doubt, 0, { ...rules, hold: true }).verdict).toBe('pause');
});

it.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [61_500, '1 min 1 s'],
  [3_600_000, '1 h'],
  [86_700_000, '24 h 5 min'],
])('%i ms is %s', (ms, words) => expect(inWords(ms)).toBe(words));

it('remembers when an attempt failed first, whatever it failed with later', () => {
  const first = judgeAttempt(attempts(), failure(), 5_000, rules).attempts;
  const refusal = failure({ code: 'http_401_403', retry: 'pause' });
  const second = judgeAttempt({ ...first, count: 2 }, refusal, 9_000, rules).attempts;
  expect([first.failedSince, second.failedSince]).toEqual([5_000, 5_000]);
});

it('tries again without blaming the destination when the worker itself had no connection free', () => {
  const busy = failure({
    code: 'busy',
    detail: 'POST https://a.example: no connection was free within 15000 ms',
  });
  expect(judgeAttempt(attempts(), busy, 0, rules)).toMatchObject({ verdict: 'up', next: { step: 'retry' } });
  expect(judgeAttempt(attempts(), failure({ code: 'timeout' }), 0, rules)).toMatchObject({ verdict: 'down' });
});
