// What every action that speaks HTTP makes of the answers: the same table for all receivers.
import { expect, it } from 'vitest';
import { failureCodes, type Outcome } from '../domain/action/outcome.ts';
import { nextDelay } from '../domain/action/retry-policy.ts';
import { HttpFailure, type HttpFailureClass } from '../ports/http.ts';
import { type Fakes, fakes } from './action-fakes.ts';

/** Status -> what happens next; the same for every HTTP receiver. Sources: RFC 9110 section 15, Standard Webhooks 1.0.0. */
export const httpTable: readonly (readonly [status: number, code: string | null, retry: string | null])[] = [
  [200, null, null],
  [201, null, null],
  [202, null, null],
  [204, null, null],
  [299, null, null],
  [100, 'http_unexpected', 'never'],
  [199, 'http_unexpected', 'never'],
  [300, 'http_3xx', 'never'],
  [301, 'http_3xx', 'never'],
  [302, 'http_3xx', 'never'],
  [304, 'http_3xx', 'never'],
  [307, 'http_3xx', 'never'],
  [308, 'http_3xx', 'never'],
  [400, 'http_4xx', 'never'],
  [401, 'http_401_403', 'pause'],
  [403, 'http_401_403', 'pause'],
  [404, 'http_4xx', 'never'],
  [405, 'http_4xx', 'never'],
  [408, 'http_4xx', 'backoff'],
  [409, 'http_4xx', 'backoff'],
  [410, 'http_410', 'pause'],
  [413, 'http_4xx', 'never'],
  [422, 'http_4xx', 'never'],
  [423, 'http_4xx', 'backoff'],
  [425, 'http_4xx', 'backoff'],
  [429, 'http_429', 'backoff'],
  [451, 'http_4xx', 'never'],
  [500, 'http_5xx', 'backoff'],
  [501, 'http_5xx', 'backoff'],
  [502, 'http_5xx', 'backoff'],
  [503, 'http_5xx', 'backoff'],
  [504, 'http_5xx', 'backoff'],
  [599, 'http_5xx', 'backoff'],
  [600, 'http_unexpected', 'never'],
  [999, 'http_unexpected', 'never'],
];

/** Failure class -> what happens next when no answer came. */
export const httpFailureTable: readonly (readonly [HttpFailureClass, string])[] = [
  ['denied', 'never'],
  ['dns', 'backoff'],
  ['connect', 'backoff'],
  ['tls', 'pause'],
  ['busy', 'backoff'],
  ['timeout', 'backoff'],
  ['reset', 'backoff'],
  ['protocol', 'backoff'],
  ['aborted', 'backoff'],
];

/** Tests. `accepted`: body of a 2xx answer by which the receiver took the request. */
export function httpContract(run: (ports: Fakes) => Promise<Outcome>, accepted: string): void {
  it.each(httpTable)('status %i', async (status, code, retry) => {
    // To every request: a receiver that takes no large body is offered smaller ones.
    const ports = fakes({ status, body: status >= 200 && status < 300 ? accepted : '' });
    const outcome = await run(ports);
    if (code === null) return expect(outcome.status).toBe('done');
    expect(outcome).toMatchObject({ status: 'failed', code, retry, status_code: status });
    expect(Object.keys(failureCodes)).toContain(code);
  });

  it.each(httpFailureTable)('no answer: %s', async (failure, retry) => {
    const ports = fakes();
    ports.http.answer(
      new HttpFailure(failure, 'no answer', { sent: true }),
      new HttpFailure(failure, 'no answer', { sent: false }),
    );
    expect(await run(ports)).toMatchObject({ status: 'failed', code: failure, retry, uncertain: true });
    expect(await run(ports)).not.toHaveProperty('uncertain');
  });

  it.each([
    ['120', 120_000],
    ['0', 0],
    ['-5', 0],
    ['1000000000', 86_400_000],
    ['Tue, 28 Apr 2026 12:01:01 GMT', 60_000],
    ['Tue, 28 Apr 2020 12:00:00 GMT', 0],
    ['soon', null],
    ['', null],
    ['2026', 2_026_000],
  ])('Retry-After: %s', async (header, afterMs) => {
    for (const status of [429, 503]) {
      const ports = fakes();
      ports.http.answer({ status, headers: { 'retry-after': header } });
      const outcome = await run(ports);
      expect(outcome).toMatchObject({ retry: afterMs === null ? 'backoff' : { afterMs } });
      if (outcome.status === 'failed')
        expect(nextDelay({}, 1, 'c', outcome)).toBeGreaterThanOrEqual(afterMs ?? 1);
    }
  });
}
