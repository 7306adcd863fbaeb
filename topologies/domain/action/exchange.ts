// One request of an action that posts JSON: sending it once with its answer judged, and showing it in a dry run.
import { HttpFailure, type HttpPort, type HttpRequest, type HttpResponse } from '../../ports/http.ts';
import type { ActionContext, PreviewContext } from './define-action.ts';
import { isFailed } from './fail.ts';
import type { HttpTarget } from './http-target.ts';
import { judgeHttpFailure } from './judge-http.ts';
import type { Done, Failed, Json, Outcome } from './outcome.ts';

/** A JSON body and where it goes below the host of the connection. */
export interface JsonPost {
  /** Path below the prefix of the connection; null: its secret path. */
  readonly path: string | null;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body: Json;
  readonly warnings: readonly string[];
}

/** The request of a post. */
export function postRequest(target: HttpTarget, post: JsonPost): HttpRequest {
  return {
    ...baseRequest(target),
    method: 'POST',
    url: `${target.origin}${target.basePath}${post.path ?? target.secretPath ?? ''}`,
    headers: [
      ['content-type', 'application/json; charset=utf-8'],
      ['user-agent', 'tocsin'],
      ...(post.headers ?? []),
      ...target.authorization,
    ],
    body: JSON.stringify(post.body),
  };
}

/** Limits and TLS of the target, for any request to it. */
export function baseRequest(target: HttpTarget): Pick<HttpRequest, 'timeoutMs' | 'allowCidrs' | 'tls'> {
  return {
    timeoutMs: target.timeoutMs,
    allowCidrs: target.allowCidrs,
    ...(target.tls === undefined ? {} : { tls: target.tls }),
  };
}

/** Sends once. `judge` reads the answer; what happens without one is the same for all receivers. */
export async function exchange<T>(
  http: HttpPort,
  request: HttpRequest,
  context: Pick<ActionContext, 'signal'>,
  judge: (response: HttpResponse) => T,
): Promise<T | Failed> {
  try {
    return judge(await http.send({ ...request, signal: context.signal }));
  } catch (error) {
    if (error instanceof HttpFailure)
      return judgeHttpFailure(error, `${request.method} ${new URL(request.url).origin}`);
    throw error;
  }
}

/** The outcome with the warnings of its message. */
export function withWarnings(outcome: Outcome, warnings: readonly string[]): Outcome {
  if (outcome.status !== 'done' || warnings.length === 0) return outcome;
  return { ...outcome, warnings: [...warnings, ...(outcome.warnings ?? [])] };
}

/** What a post would send: the address without its secret part and without credentials, and the body. */
export function previewPost(
  target: HttpTarget | Failed,
  build: (target: HttpTarget, now: PreviewContext['now']) => JsonPost | Failed,
  { now }: PreviewContext,
): Outcome {
  if (isFailed(target)) return target;
  const post = build(target, now);
  if (isFailed(post)) return post;
  const done: Done = {
    status: 'done',
    output: {
      method: 'POST',
      url: `${target.origin}${target.basePath}${post.path ?? '/[secret]'}`,
      body: post.body,
    },
  };
  return withWarnings(done, post.warnings);
}
