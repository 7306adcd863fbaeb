// Delays between attempts, and statuses a receiver means differently.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeHttp } from './judge-http.ts';
import type { Failed } from './outcome.ts';
import { defaultRetry, nextDelay } from './retry-policy.ts';

const fail = (retry: Failed['retry']): Failed => ({ status: 'failed', code: 'http_5xx', retry, detail: 'x' });

describe('retry policy', () => {
  it('has the defaults that the schema documents', () => {
    const schema = JSON.parse(
      readFileSync(new URL('../../../schemas/documents/command.json', import.meta.url), 'utf8'),
    );
    const properties = schema.definitions.retry.properties as Record<string, { default: number }>;
    expect(defaultRetry).toEqual(
      Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, value.default])),
    );
  });

  it('doubles up to the maximum with jitter in the upper half, the same every time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.string(), (attempt, id) => {
        const delay = nextDelay({}, attempt, id, fail('backoff')) as number;
        const step = Math.min(300_000, 500 * 2 ** (attempt - 1));
        expect(delay).toBeGreaterThanOrEqual(step / 2);
        expect(delay).toBeLessThanOrEqual(step);
        expect(nextDelay({}, attempt, id, fail('backoff'))).toBe(delay);
      }),
    );
  });

  it('spreads commands of one outage', () => {
    const delays = new Set(
      Array.from({ length: 1000 }, (_, id) => nextDelay({}, 5, String(id), fail('backoff'))),
    );
    expect(delays.size).toBeGreaterThan(800);
  });

  it('ends after max_attempts, never retries what is final, and always looks again at a pause', () => {
    expect(nextDelay({ max_attempts: 3 }, 2, 'c', fail('backoff'))).not.toBeNull();
    expect(nextDelay({ max_attempts: 3 }, 3, 'c', fail('backoff'))).toBeNull();
    expect(nextDelay({ max_attempts: 3 }, 3, 'c', fail({ afterMs: 5 }))).toBeNull();
    expect(nextDelay({}, 1, 'c', fail('never'))).toBeNull();
    expect(nextDelay({ max_attempts: 1 }, 50, 'c', fail('pause'))).toBeGreaterThan(0);
  });

  it('H19 does what the receiver asked for: never earlier, at most a tenth later, at most a day', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1e9 }), fc.string(), (afterMs, id) => {
        const delay = nextDelay({ max_ms: 1000 }, 1, id, fail({ afterMs })) as number;
        const asked = Math.min(86_400_000, Math.max(500, afterMs));
        expect(delay).toBeGreaterThanOrEqual(asked);
        expect(delay).toBeLessThanOrEqual(asked * 1.1 + 1);
      }),
    );
  });
});

describe('judge', () => {
  const answer = (status: number, headers = {}): Parameters<typeof judgeHttp>[0] => ({
    status,
    headers,
    body: Buffer.alloc(0),
    truncated: false,
  });

  it('follows the overrides of a receiver', () => {
    const overrides = { 409: 'done', 404: 'backoff', 400: 'pause', 500: 'never' } as const;
    const judge = (status: number): unknown =>
      judgeHttp(answer(status, { 'retry-after': '2' }), { subject: 's', now: 0, overrides });
    expect(judge(409)).toMatchObject({ status: 'done' });
    expect(judge(404)).toMatchObject({ code: 'http_4xx', retry: { afterMs: 2000 } });
    expect(judge(400)).toMatchObject({ code: 'http_4xx', retry: 'pause' });
    expect(judge(500)).toMatchObject({ code: 'http_5xx', retry: 'never' });
  });

  it.each<[string, readonly number[], string]>([
    ['H05 a redirect is a failure and is not repeated', [301, 302, 303, 307, 308], 'never'],
    ['H17 poison is not repeated', [400, 404, 405, 413, 415, 422], 'never'],
    ['H18 refused credentials pause the destination', [401, 403, 407], 'pause'],
    ['H19 not now is tried again', [408, 409, 423, 425, 429], 'backoff'],
    ['H24 what is gone for good pauses the destination', [410], 'pause'],
    ['H25 a receiver in trouble is tried again', [500, 502, 503, 504], 'backoff'],
  ])('%s', (_, statuses, retry) => {
    for (const status of statuses)
      expect(judgeHttp(answer(status), { subject: 's', now: 0 })).toMatchObject({ status: 'failed', retry });
  });

  it.each([
    ['120', 120_000],
    ['-5', 0],
    ['1e9', null],
    ['1000000000', 86_400_000],
    ['Thu, 01 Jan 1970 00:00:30 GMT', 0],
    ['Thu, 01 Jan 1970 00:02:00 GMT', 60_000],
    ['soon', null],
  ])('H19 Retry-After %j', (header, ms) => {
    const outcome = judgeHttp(answer(429, { 'retry-after': header }), { subject: 's', now: 60_000 });
    expect(outcome).toMatchObject({ retry: ms === null ? 'backoff' : { afterMs: ms } });
  });

  it('T02 names only the host of a redirect', () => {
    const outcome = judgeHttp(answer(302, { location: 'http://169.254.169.254/latest/meta-data?token=s' }), {
      subject: 'POST https://a',
      now: 0,
    });
    expect(outcome).toMatchObject({
      code: 'http_3xx',
      detail: 'POST https://a answered 302 and redirects to 169.254.169.254; redirects are not followed',
    });
    for (const location of ['file:///etc/passwd', '/relative', 'http://user:pw@host/'])
      expect(judgeHttp(answer(301, { location }), { subject: 's', now: 0 })).toMatchObject({
        detail: expect.not.stringMatching(/passwd|pw|relative/),
      });
  });
});
