// What a _bulk answer means for the events of the request.
//
// Invariant: an event counts as stored only by its own status, in an answer with exactly one item for each event; HTTP 200 alone
// says nothing. Sending again is harmless, because ids make the receiver know what it has.
// Surprise: when all is well the answer has one shape only, for we ask for nothing but statuses; so its length counts its items and it is not parsed.
import { retryAfterMs } from '../../domain/action/judge-http.ts';
import type { BatchVerdict, EventVerdict } from '../../domain/sink/define-sink.ts';
import type { HttpResponse } from '../../ports/http.ts';
import { itemMeaning, requestErrorsOfAnEvent } from './codes.ts';
import { maxAnswerBytes } from './request.ts';

interface Item {
  readonly status: number;
  readonly type: string;
  readonly reason: string;
}

/** The judge of requests whose items are `create` or `index`. `events` is their number in the request, `now` epoch ms. */
export function createJudge(
  action: 'create' | 'index',
): (response: HttpResponse, events: number, now: number) => BatchVerdict {
  const isShort = shortAnswer(action);
  return (response, events, now) => {
    const { status } = response;
    if (status === 200) {
      if (!response.truncated && isShort(response.body, events))
        return { class: 'delivered', slowDown: false };
      return judgeItems(response, events, now);
    }
    return judgeRequest(response, now);
  };
}

/** Whether an attempt is worthwhile. A key that may only write gets a 403 here, and gateways hide this page: that says nothing. */
export function judgeProbe({ status }: HttpResponse): boolean {
  return status < 500 && ![401, 407, 408, 425, 429].includes(status);
}

// {"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}
function shortAnswer(action: string): (body: Buffer, events: number) => boolean {
  const start = Buffer.from(`{"errors":false,"items":[{"${action}":{"status":20`);
  const [prefix, item, suffix] = ['{"errors":false,"items":[', `{"${action}":{"status":200}}`, ']}'];
  return (body, events) =>
    body.length === prefix.length + (item.length + 1) * events - 1 + suffix.length &&
    body.subarray(0, start.length).equals(start) &&
    body.toString('latin1', body.length - suffix.length - 2) === `}}${suffix}`;
}

function judgeItems(response: HttpResponse, events: number, now: number): BatchVerdict {
  if (response.truncated && response.body.length >= maxAnswerBytes && events > 1)
    return { class: 'too-large', code: 'es_answer_too_large', detail: 'the answer is too long' };
  const items = response.truncated ? null : parseItems(response.body);
  if (items === null || items.length !== events)
    return {
      class: 'transient',
      code: 'es_bad_answer',
      detail:
        items === null ? 'HTTP 200 without a _bulk answer' : `${items.length} items for ${events} events`,
      afterMs: retryAfterMs(response.headers['retry-after'], now),
      slowDown: false,
      accepted: 0,
    };
  const verdicts: EventVerdict[] = [];
  let repeated = 0;
  let slowDown = false;
  items.forEach(({ status, type, reason }, index) => {
    const meaning = itemMeaning(status, type);
    slowDown ||= status === 429;
    if (meaning === 'repeated') repeated += 1;
    else if (meaning !== 'stored')
      verdicts.push({
        index,
        class: meaning,
        code: codeOf(status, type),
        detail: `item status ${status}, ${type}${reason === '' ? '' : `: ${reason}`}`,
      });
  });
  const worst = verdicts.find((verdict) => verdict.class !== 'transient') ?? verdicts[0];
  if (worst === undefined) return { class: 'delivered', slowDown, repeated };
  return { class: 'per-event', code: worst.code, detail: worst.detail, events: verdicts, slowDown, repeated };
}

function judgeRequest(response: HttpResponse, now: number): BatchVerdict {
  const { status } = response;
  const type = errorType(response);
  const code = codeOf(status, type);
  const detail = `HTTP ${status}${type === '' ? '' : `, ${type}`}`;
  if (status === 413) return { class: 'too-large', code, detail };
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    return {
      class: 'transient',
      code,
      detail,
      afterMs: retryAfterMs(response.headers['retry-after'], now),
      slowDown: status === 429 || status === 503,
      accepted: 0,
    };
  if (status === 400 && requestErrorsOfAnEvent.has(type))
    return { class: 'event-fault', code, detail, index: null, prefixStored: false };
  return { class: 'sink-fault', code, detail };
}

function codeOf(status: number, type: string): string {
  return type === '' ? `http_${status}` : `es_${type}`;
}

function errorType(response: HttpResponse): string {
  const body = response.body.length > 65_536 ? null : parsed(response.body);
  return typeOf(isRecord(body) ? body.error : undefined);
}

function parseItems(body: Buffer): Item[] | null {
  const answer = parsed(body);
  if (!isRecord(answer) || typeof answer.errors !== 'boolean' || !Array.isArray(answer.items)) return null;
  const items: Item[] = [];
  for (const entry of answer.items as unknown[]) {
    const item = isRecord(entry) ? Object.values(entry)[0] : undefined;
    if (!isRecord(item) || !Number.isInteger(item.status)) return null;
    items.push({ status: item.status as number, type: typeOf(item.error), reason: reasonOf(item.error) });
  }
  return items;
}

// Names only: a type becomes a code in metrics and headers.
function typeOf(error: unknown): string {
  const type = isRecord(error) ? error.type : undefined;
  return typeof type === 'string' && /^[a-z][a-z0-9_]{0,63}$/.test(type) ? type : '';
}

// One line without the event's own text, which is in the dead letter already.
function reasonOf(error: unknown): string {
  const reason = isRecord(error) ? error.reason : undefined;
  if (typeof reason !== 'string') return '';
  return reason
    .replace(/\.? Preview of field's value: .*$/s, '')
    .replace(/\s+/g, ' ')
    .slice(0, 256);
}

function parsed(body: Buffer): unknown {
  if (body.length === 0 || body[0] === 0x3c) return null;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
