// What Slack's answers mean. The Web API answers 200 with `ok: false` and a code; a webhook answers a status and a word.
//
// Invariant: only codes of the tables are repeated in outcomes, never other text of an answer.
// Surprise: what is wrong with a webhook's channel is wrong with the connection, which owns it: such commands wait for the
// connection to be mended. With a token the channel is a parameter of the action, and its commands fail at once.
// Sources: docs.slack.dev/reference/methods/chat.postMessage (errors), docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import { isFailed } from '../../domain/action/fail.ts';
import { judgeHttp, notTheirs, retryAfterMs } from '../../domain/action/judge-http.ts';
import type { Failed, FailureCode, Outcome } from '../../domain/action/outcome.ts';
import type { HttpResponse } from '../../ports/http.ts';

type Verdict = readonly [code: FailureCode, retry: 'never' | 'backoff' | 'pause', uncertain?: true];

/** Wait when Slack names none, ms. */
export const slowDownMs = 30_000;

const refused: Verdict = ['http_401_403', 'pause'];
const wrong: Verdict = ['bad_response', 'never'];
const slow: Verdict = ['http_429', 'backoff'];
const broken: Verdict = ['http_5xx', 'backoff', true];
const tooLong: Verdict = ['too_large', 'never'];

/** Codes of the Web API. */
export const apiErrors: Readonly<Record<string, Verdict>> = {
  rate_limited: slow,
  ratelimited: slow,
  message_limit_exceeded: slow,
  invalid_auth: refused,
  not_authed: refused,
  account_inactive: refused,
  token_revoked: refused,
  token_expired: refused,
  no_permission: refused,
  missing_scope: refused,
  not_allowed_token_type: refused,
  access_denied: refused,
  accesslimited: refused,
  ekm_access_denied: refused,
  enterprise_is_restricted: refused,
  org_login_required: ['http_5xx', 'backoff'],
  team_access_not_granted: refused,
  two_factor_setup_required: refused,
  team_added_to_org: ['http_5xx', 'backoff'],
  service_unavailable: ['http_5xx', 'backoff'],
  fatal_error: broken,
  internal_error: broken,
  request_timeout: broken,
  msg_too_long: tooLong,
  msg_blocks_too_long: tooLong,
  metadata_too_large: tooLong,
  channel_not_found: wrong,
  not_in_channel: wrong,
  is_archived: wrong,
  user_not_found: wrong,
  restricted_action: wrong,
  restricted_action_read_only_channel: wrong,
  restricted_action_thread_only_channel: wrong,
  restricted_action_thread_locked: wrong,
  restricted_action_non_threadable_channel: wrong,
  cannot_reply_to_message: wrong,
  no_text: wrong,
  invalid_blocks: wrong,
  invalid_blocks_format: wrong,
  too_many_attachments: wrong,
  too_many_contact_cards: wrong,
  markdown_text_conflict: wrong,
  duplicate_channel_not_found: wrong,
  duplicate_message_not_found: wrong,
  slack_connect_file_link_sharing_blocked: wrong,
  thread_not_found: wrong,
  messages_tab_disabled: wrong,
  as_user_not_supported: wrong,
  invalid_metadata_format: wrong,
  invalid_metadata_schema: wrong,
  metadata_must_be_sent_from_app: wrong,
  deprecated_endpoint: wrong,
  method_deprecated: wrong,
  invalid_arguments: wrong,
  invalid_arg_name: wrong,
  invalid_array_arg: wrong,
  invalid_charset: wrong,
  invalid_form_data: wrong,
  invalid_json: wrong,
  json_not_object: wrong,
  invalid_post_type: wrong,
  missing_post_type: wrong,
  invalid_cursor: wrong,
};

/** Words of an incoming webhook. */
export const webhookErrors: Readonly<Record<string, Verdict>> = {
  invalid_payload: wrong,
  invalid_blocks: wrong,
  invalid_blocks_format: wrong,
  no_text: wrong,
  too_many_attachments: wrong,
  user_not_found: wrong,
  missing_text_or_fallback_or_attachments: wrong,
  msg_too_long: tooLong,
  no_service: refused,
  no_service_id: refused,
  no_active_hooks: refused,
  no_team: refused,
  team_disabled: refused,
  invalid_token: refused,
  action_prohibited: refused,
  posting_to_general_channel_denied: refused,
  channel_not_found: refused,
  channel_is_archived: ['http_410', 'pause'],
  rate_limited: slow,
  rollup_error: ['http_5xx', 'backoff'],
};

export interface JudgeOptions {
  /** For people, without secrets. */
  readonly subject: string;
  /** Epoch ms. */
  readonly now: number;
}

/** An answer of the Web API: the members of `ok: true`, or the failure. */
export function readApi(
  response: HttpResponse,
  options: JudgeOptions,
): Readonly<Record<string, unknown>> | Failed {
  const judged = judgeHttp(response, options);
  if (judged.status === 'failed') return judged;
  const parsed = parseJson(response.body);
  const value = parsed.ok ? (parsed.value as Readonly<Record<string, unknown>>) : null;
  if (value?.['ok'] === true) return value;
  if (value?.['ok'] === false) return failureOf(apiErrors, String(value['error']), response, options);
  return notTheirs(response, options.subject, 'Slack');
}

/** The outcome of chat.postMessage. */
export function judgePost(response: HttpResponse, options: JudgeOptions): Outcome {
  const answer = readApi(response, options);
  if (isFailed(answer)) return answer;
  return posted(response.status, answer['ts'], answer['channel']);
}

/** The outcome of a message that is in the channel. */
export function posted(status: number, ts: unknown, channel: unknown): Outcome {
  const text = (value: unknown): string | null => (typeof value === 'string' ? value.slice(0, 64) : null);
  const [at, where] = [text(ts), text(channel)];
  return {
    status: 'done',
    ...(at === null ? {} : { ref: at }),
    output: {
      status_code: status,
      ...(at === null ? {} : { ts: at }),
      ...(where === null ? {} : { channel: where }),
    },
  };
}

/** The outcome of an incoming webhook. */
export function judgeWebhook(response: HttpResponse, options: JudgeOptions): Outcome {
  const word = response.body.subarray(0, 256).toString().trim();
  const judged = judgeHttp(response, options);
  if (Object.hasOwn(webhookErrors, word)) return failureOf(webhookErrors, word, response, options);
  if (judged.status === 'failed' || word === 'ok' || word === '') return judged;
  return notTheirs(response, options.subject, 'Slack');
}

function failureOf(
  table: Readonly<Record<string, Verdict>>,
  word: string,
  response: HttpResponse,
  { subject, now }: JudgeOptions,
): Failed {
  const known = Object.hasOwn(table, word);
  const [code, retry, uncertain] = known ? (table[word] as Verdict) : wrong;
  const wait = retryAfterMs(response.headers['retry-after'], now);
  return {
    status: 'failed',
    code,
    retry: code === 'http_429' ? { afterMs: wait ?? slowDownMs } : retry,
    detail: `${subject} answered ${response.status}: ${known ? word : 'an error code that is not known here'}`,
    status_code: response.status,
    ...(uncertain === undefined ? {} : { uncertain }),
  };
}
