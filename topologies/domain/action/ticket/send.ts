// Sends one request of a ticket system and reads its answer.
//
// Invariant: after a request that acts again when repeated, no answer, a failure of the server, a conflict and an answer that cannot
// be read are all uncertain; a lookup never is. No credential comes out in what an answer is quoted for.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import type { HttpPort, HttpRequest, HttpResponse } from '../../../ports/http.ts';
import { escapeHeader } from '../../templates/escape.ts';
import { plainChat } from '../../templates/escape-chat.ts';
import type { ActionContext } from '../define-action.ts';
import { baseRequest, exchange } from '../exchange.ts';
import { isFailed } from '../fail.ts';
import type { HttpTarget } from '../http-target.ts';
import { judgeHttp, notTheirs } from '../judge-http.ts';
import type { Failed, Json } from '../outcome.ts';
import { shownText } from '../preview.ts';
import type { Call, Explain } from './system.ts';

export interface Link {
  readonly http: HttpPort;
  readonly target: HttpTarget;
  readonly context: ActionContext;
  /** Name of the system in messages. */
  readonly system: string;
  readonly explain: Explain;
}

/** Answers of lookups hold whole tickets, which are longer than an acknowledgement. */
const maxResponseBytes = 1024 * 1024;
const quoteMax = 600;

export function callRequest(call: Call<unknown>, target: HttpTarget): HttpRequest {
  return {
    ...baseRequest(target),
    method: call.method,
    url: `${target.origin}${target.basePath}${call.path}`,
    headers: [
      ['accept', 'application/json'],
      ...(call.body === undefined ? [] : ([['content-type', 'application/json']] as const)),
      ['user-agent', 'tocsin'],
      ...(call.headers ?? []),
      ...target.authorization,
    ],
    maxResponseBytes,
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  };
}

/** What the answer says, or why there is none. */
export async function sendCall<T>(call: Call<T>, link: Link): Promise<T | Failed> {
  const answer = await exchange(link.http, callRequest(call, link.target), link.context, (response) =>
    judgeCall(call, response, link),
  );
  return isFailed(answer) ? settled(answer, call) : answer;
}

// A request that only reads has no effect that could be in doubt.
function settled(failure: Failed, call: Call<unknown>): Failed {
  if (call.method !== 'GET' && call.asks !== true) return failure;
  const { uncertain: _, ...certain } = failure;
  return certain;
}

function judgeCall<T>(call: Call<T>, response: HttpResponse, link: Link): T | Failed {
  const subject = `${call.method} ${link.target.origin}`;
  const { status } = response;
  const overrides = Object.fromEntries((call.ok ?? []).map((each) => [each, 'done' as const]));
  const judged = judgeHttp(response, { subject, now: link.context.now, overrides });
  const parsed = bodyOf(response);
  if (judged.status === 'failed') return refusal(call, judged, parsed, link);
  const doubt = call.actsAgain === true ? ({ uncertain: true, retry: 'backoff' } as const) : {};
  if (response.truncated) return { ...notTheirs(response, subject, link.system), ...doubt };
  const read = parsed.ok ? call.read(parsed.value, status) : null;
  if (read !== null) return read;
  const failure = notTheirs(response, subject, link.system);
  // JSON with a success is the system's own, only not as expected: the ticket may well exist.
  return parsed.ok && parsed.value !== undefined ? { ...failure, ...doubt } : failure;
}

function bodyOf({ body }: HttpResponse): { readonly ok: boolean; readonly value?: unknown } {
  if (body.length === 0) return { ok: true };
  return parseJson(body, { topLevel: 'any', bigIntegers: 'text' });
}

function refusal(
  call: Call<unknown>,
  judged: Failed,
  parsed: { readonly ok: boolean; readonly value?: unknown },
  link: Link,
): Failed {
  const status = judged.status_code ?? 0;
  const explained = parsed.ok && parsed.value !== undefined ? link.explain(parsed.value, status) : null;
  const quote = explained === null ? '' : `: ${quoted(explained.text, link)}`;
  const failure: Failed = {
    ...judged,
    ...explained?.verdict,
    detail: `${judged.detail}${quote}`.slice(0, 1024),
  };
  if (status === 404 && call.about !== undefined)
    return {
      ...failure,
      code: 'not_found',
      detail:
        `${call.about} does not exist any more, or this account cannot see it (${failure.detail})`.slice(
          0,
          1024,
        ),
    };
  const doubtful = status >= 500 || status === 408 || status === 409;
  return call.actsAgain === true && doubtful && failure.retry !== 'never'
    ? { ...failure, uncertain: true }
    : failure;
}

/** One line, without what our own credential consists of. */
function quoted(text: string, { target, context }: Link): string {
  const secrets = [
    ...Object.values(context.connection?.secrets ?? {}).map((secret) => secret.reveal()),
    ...target.authorization.flatMap(([, value]) => [value, ...value.split(' ')]),
  ].filter((secret) => secret.length >= 4 && !/^(basic|bearer)$/i.test(secret));
  const shown = secrets.reduce((rest, secret) => rest.replaceAll(secret, '[secret]'), text);
  return escapeHeader(plainChat(shown)).slice(0, quoteMax);
}

/** Requests as a dry run shows them: without headers, and so without the credential. A body that is too long is cut text. */
export function shownCalls(calls: readonly Call<unknown>[], target: HttpTarget): Json {
  return calls.map(({ method, path, body }) => ({
    method,
    url: shownText(`${target.origin}${target.basePath}${path}`),
    ...(body === undefined ? {} : { body: shownBody(body) }),
  }));
}

function shownBody(body: Json): Json {
  const text = JSON.stringify(body);
  const shown = shownText(text);
  return shown === text ? body : shown;
}
