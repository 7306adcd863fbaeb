// What a Splunk answer means for the events of the request.
//
// Invariant: only a parsed HEC answer with a success code is delivery; a 200 from anything else (a login page, a proxy) is
// retried. Nothing here ever means "drop".
// Surprise: `invalid-event-number` counts from 0, and real Splunk has stored everything before it; emulators have not. Only a
// `Server: Splunkd` header or an ackId tells them apart (moby/moby#35862, open-telemetry/opentelemetry-collector-contrib#36113).

import { retryAfterMs } from '../../domain/action/judge-http.ts';
import type { BatchVerdict } from '../../domain/sink/define-sink.ts';
import type { HttpResponse } from '../../ports/http.ts';
import { hecCodes } from './codes.ts';

interface HecAnswer {
  readonly code: number;
  readonly eventNumber: number | null;
  readonly ackId: boolean;
}

/** `events` is the number of envelopes in the request, `now` epoch ms. */
export function judge(response: HttpResponse, events: number, now: number): BatchVerdict {
  const { status } = response;
  const answer = parseAnswer(response);
  const known = answer === null ? undefined : hecCodes[answer.code];
  const code = answer === null ? `http_${status}` : `hec_${answer.code}`;
  const detail = `HTTP ${status}${known === undefined ? ', no known HEC code' : `, HEC code ${answer?.code}: ${known.text}`}`;
  const trusted = answer !== null && (answer.ackId || /^splunkd\b/i.test(response.headers.server ?? ''));
  const number = answer?.eventNumber ?? null;
  const index = number !== null && number >= 0 && number < events ? number : null;
  const transient = (slowDown: boolean): BatchVerdict => ({
    class: 'transient',
    code,
    detail,
    afterMs: retryAfterMs(response.headers['retry-after'], now),
    slowDown,
    accepted: trusted && index !== null ? index : 0,
  });

  if (status === 401 || status === 403 || status === 407) return { class: 'sink-fault', code, detail };
  if (status === 413) return { class: 'too-large', code, detail };
  if (status === 408 || status === 425) return transient(false);
  if (status === 429 || status === 503) return transient(known?.means !== 'transient');
  if (status >= 500) return transient(false);
  if (status >= 200 && status < 300) {
    if (known?.means === 'delivered') return { class: 'delivered', slowDown: false };
    if (known?.means === 'delivered-slow') return { class: 'delivered', slowDown: true };
    if (known === undefined) return transient(false);
  }
  if (known === undefined || known.means === 'sink-fault') return { class: 'sink-fault', code, detail };
  if (known.means === 'event-fault')
    return { class: 'event-fault', code, detail, index, prefixStored: trusted && index !== null };
  return transient(known.means === 'transient-slow');
}

/**
 * Whether the health endpoint's answer makes an attempt worthwhile. 400 there means that the token is refused; a gateway
 * without that endpoint (404, 405) says nothing, so the attempt itself has to tell.
 */
export function judgeProbe(response: HttpResponse): boolean {
  return response.status === 200 || response.status === 404 || response.status === 405;
}

function parseAnswer(response: HttpResponse): HecAnswer | null {
  if (response.truncated || response.body.length === 0 || response.body[0] === 0x3c) return null;
  let value: unknown;
  try {
    value = JSON.parse(response.body.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { code, ackId, 'invalid-event-number': number } = value as Record<string, unknown>;
  if (typeof code !== 'number' || !Number.isInteger(code)) return null;
  return {
    code,
    eventNumber: typeof number === 'number' && Number.isInteger(number) ? number : null,
    ackId: typeof ackId === 'number',
  };
}
