// Decides what an HTTP answer, or its absence, means. The one judge for all receivers.
//
// 2xx is success and nothing else is; redirects are never followed; refused credentials pause the destination and burn
// no attempts; a status that nobody classified is not repeated.
// Sources: RFC 9110 section 15, Standard Webhooks 1.0.0 (410 disables; 429, 502, 504 throttle), RFC 9110 section 10.2.3.
import type { HttpFailure, HttpResponse } from '../../ports/http.ts';
import type { Failed, FailureCode, Outcome } from './outcome.ts';

/** What a receiver means by a status when it differs from the common table. */
export type StatusOverrides = Readonly<Partial<Record<number, 'done' | 'never' | 'backoff' | 'pause'>>>;

export const retryAfterMaxMs = 24 * 3_600_000;

/** Statuses that say "not now" although they are 4xx. */
const notNow: ReadonlySet<number> = new Set([408, 409, 423, 425, 429]);
const refusesUs: ReadonlySet<number> = new Set([401, 403, 407]);

/**
 * The outcome of one answer. `subject` names the request for people, for example `POST https://host`; it must hold no
 * secret. `now` is epoch ms, for Retry-After dates.
 */
export function judgeHttp(
  response: HttpResponse,
  options: { readonly subject: string; readonly now: number; readonly overrides?: StatusOverrides },
): Outcome {
  const { status } = response;
  const override = options.overrides?.[status];
  if (override === 'done' || (override === undefined && status >= 200 && status < 300))
    return { status: 'done', output: { status_code: status } };
  const verdict = classify(status);
  const retry = override ?? verdict.retry;
  const wait = retry === 'backoff' ? retryAfterMs(response.headers['retry-after'], options.now) : null;
  return {
    status: 'failed',
    code: verdict.code,
    retry: wait === null ? retry : { afterMs: wait },
    detail: `${options.subject} answered ${status}${redirectHost(response)}`.slice(0, 1024),
    status_code: status,
  };
}

/** A success by its status whose body says otherwise, or nothing that `whose` (a receiver) would say: a login page, a proxy. */
export function notTheirs(response: HttpResponse, subject: string, whose: string): Failed {
  return {
    status: 'failed',
    code: 'bad_response',
    retry: 'never',
    detail: `${subject} answered ${response.status} with a body that is not one of ${whose}`,
    status_code: response.status,
  };
}

function classify(status: number): {
  readonly code: FailureCode;
  readonly retry: 'never' | 'backoff' | 'pause';
} {
  if (status >= 300 && status < 400) return { code: 'http_3xx', retry: 'never' };
  if (refusesUs.has(status)) return { code: 'http_401_403', retry: 'pause' };
  if (status === 410) return { code: 'http_410', retry: 'pause' };
  if (status === 429) return { code: 'http_429', retry: 'backoff' };
  if (status >= 400 && status < 500)
    return { code: 'http_4xx', retry: notNow.has(status) ? 'backoff' : 'never' };
  if (status >= 500 && status < 600) return { code: 'http_5xx', retry: 'backoff' };
  return { code: 'http_unexpected', retry: 'never' };
}

// Only the host: the rest of a Location may carry tokens, and nobody follows it.
function redirectHost(response: HttpResponse): string {
  if (response.status < 300 || response.status >= 400) return '';
  const location = response.headers.location;
  if (location === undefined || !URL.canParse(location)) return '';
  return ` and redirects to ${new URL(location).host || 'another scheme'}; redirects are not followed`;
}

/**
 * Milliseconds that a Retry-After header asks for, between 0 and 24 h; null when it says nothing usable.
 * Both forms of RFC 9110 section 10.2.3: delay seconds and HTTP-date.
 */
export function retryAfterMs(header: string | undefined, now: number): number | null {
  const text = header?.trim();
  if (text === undefined || text === '' || text.length > 64) return null;
  if (/^-?\d+$/.test(text)) return clamp(Number(text) * 1000);
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : clamp(at - now);
}

function clamp(ms: number): number {
  return Math.min(retryAfterMaxMs, Math.max(0, ms));
}

/** The outcome when no answer came. TLS faults are configuration: they pause. `sent` makes the effect uncertain. */
export function judgeHttpFailure(failure: HttpFailure, subject: string): Failed {
  const retry = failure.failure === 'denied' ? 'never' : failure.failure === 'tls' ? 'pause' : 'backoff';
  return {
    status: 'failed',
    code: failure.failure,
    retry,
    detail: `${subject}: ${failure.message}`.slice(0, 1024),
    ...(failure.sent ? { uncertain: true } : {}),
  };
}
