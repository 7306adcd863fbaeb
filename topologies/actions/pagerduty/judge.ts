// What the answers of the Events API v2 mean: 202 with `status: success` is success, 400 says what is wrong with the event.
//
// Sources: developer.pagerduty.com/docs/events-api-v2/overview, "Response Codes & Retry Logic" (202 no retry, 400 no retry, 429 and
// 5xx retry after some time), and its OpenAPI document (status, message, dedup_key; errors).
//
// Surprise: a wrong integration key is answered with 400 as well, not 401: that is the connection, so it pauses.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { judgeHttp, notTheirs } from '../../domain/action/judge-http.ts';
import type { Outcome } from '../../domain/action/outcome.ts';
import type { HttpResponse } from '../../ports/http.ts';

export interface JudgeOptions {
  /** For people, without secrets. */
  readonly subject: string;
  /** Epoch ms. */
  readonly now: number;
  /** Taken out of what the answer says. */
  readonly routingKey: string;
}

export function judgePagerduty(response: HttpResponse, options: JudgeOptions): Outcome {
  const judged = judgeHttp(response, options);
  const parsed = parseJson(response.body);
  const answer = parsed.ok ? (parsed.value as Readonly<Record<string, unknown>>) : {};
  if (judged.status === 'done') {
    if (answer['status'] !== 'success') return notTheirs(response, options.subject, 'PagerDuty');
    const key = answer['dedup_key'];
    return {
      status: 'done',
      ...(typeof key === 'string' ? { ref: key } : {}),
      output: { status_code: response.status, ...(typeof key === 'string' ? { dedup_key: key } : {}) },
    };
  }
  if (response.status !== 400) return judged;
  const said = errorsOf(answer).join('; ').replaceAll(options.routingKey, '[secret]');
  const detail = `${judged.detail}${said === '' ? '' : `: ${said}`}`.slice(0, 1024);
  return /\brouting_key\b/.test(said)
    ? { ...judged, code: 'http_401_403', retry: 'pause', detail }
    : { ...judged, detail };
}

function errorsOf({ message, errors }: Readonly<Record<string, unknown>>): string[] {
  const list: unknown[] = Array.isArray(errors) && errors.length > 0 ? errors : [message];
  return list.flatMap((text) => (typeof text === 'string' ? [text.replaceAll(/\s+/g, ' ').trim()] : []));
}
