// What Mattermost's answers mean: statuses as everywhere, with the id of the error ({id, message, status_code}) for people,
// and a few ids that say more than their status.
//
// Invariant: of an answer only an id of the server's form is repeated, never its words.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { judgeHttp, notTheirs } from '../../domain/action/judge-http.ts';
import type { Failed, Outcome } from '../../domain/action/outcome.ts';
import type { HttpResponse } from '../../ports/http.ts';

export interface JudgeOptions {
  /** For people, without secrets. */
  readonly subject: string;
  /** Epoch ms. */
  readonly now: number;
}

/** The first attempt is still being saved when this is answered; ms until its post can be asked for. */
export const pendingMs = 2_000;

// server/channels/app/post.go, server/channels/web/webhook.go, server/channels/app/webhook.go.
const byId: Readonly<Record<string, Pick<Failed, 'code' | 'retry'>>> = {
  'api.post.deduplicate_create_post.pending': { code: 'http_5xx', retry: { afterMs: pendingMs } },
  'model.post.is_valid.message_length.app_error': { code: 'too_large', retry: 'never' },
  'model.post.is_valid.msg.app_error': { code: 'too_large', retry: 'never' },
  'web.incoming_webhook.split_props_length.app_error': { code: 'too_large', retry: 'never' },
  // Webhooks are switched off on the server, or this one was deleted.
  'web.incoming_webhook.disabled.app_error': { code: 'http_401_403', retry: 'pause' },
  'api.incoming_webhook.disabled.app_error': { code: 'http_401_403', retry: 'pause' },
  'web.incoming_webhook.invalid.app_error': { code: 'http_401_403', retry: 'pause' },
  // A channel that is named in the parameters and that this sender may not use; the connection itself works.
  'api.context.permissions.app_error': { code: 'bad_response', retry: 'never' },
  'web.incoming_webhook.permissions.app_error': { code: 'bad_response', retry: 'never' },
  'web.incoming_webhook.channel_locked.app_error': { code: 'bad_response', retry: 'never' },
};

/** The outcome of POST /api/v4/posts. */
export function judgeCreate(response: HttpResponse, options: JudgeOptions): Outcome {
  const judged = judgeHttp(response, options);
  if (judged.status === 'failed') return named(judged, response);
  const parsed = parseJson(response.body);
  const id = parsed.ok ? (parsed.value as Readonly<Record<string, unknown>>)['id'] : undefined;
  if (typeof id !== 'string' || !/^[a-z0-9]{26}$/.test(id))
    return notTheirs(response, options.subject, 'Mattermost');
  return { ...judged, ref: id, output: { status_code: response.status, post_id: id } };
}

/** The outcome of an incoming webhook, which answers `ok`. */
export function judgeHook(response: HttpResponse, options: JudgeOptions): Outcome {
  const judged = judgeHttp(response, options);
  if (judged.status === 'failed') return named(judged, response);
  const text = response.body.subarray(0, 64).toString().trim();
  return text === 'ok' || text === '' ? judged : notTheirs(response, options.subject, 'Mattermost');
}

function named(failure: Failed, response: HttpResponse): Failed {
  const parsed = parseJson(response.body);
  const id = parsed.ok ? (parsed.value as Readonly<Record<string, unknown>>)['id'] : undefined;
  if (typeof id !== 'string' || !/^[a-z_]+(\.[a-z_]+){2,6}$/.test(id) || id.length > 128) return failure;
  const special = Object.hasOwn(byId, id) ? byId[id] : {};
  return { ...failure, ...special, detail: `${failure.detail}: ${id}` };
}
