// Looks for a message that may have been posted: reads the channel (or thread) since the command was decided and compares
// the command id in the metadata. A channel that cannot be read is no reason to lose the message.
import type { Command } from '@tocsin/schemas/types.ts';
import { baseRequest } from '../../domain/action/exchange.ts';
import { isFailed } from '../../domain/action/fail.ts';
import type { HttpTarget } from '../../domain/action/http-target.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import type { HttpRequest, HttpResponse } from '../../ports/http.ts';
import { type JudgeOptions, readApi } from './judge.ts';
import { channelIdPattern, type SlackParams } from './params.ts';
import { eventType, type SlackMessage } from './request.ts';

export interface Page {
  /** Timestamp of our message; null when it is not on this page. */
  readonly ts: string | null;
  /** Where the next page begins; null on the last one. */
  readonly cursor: string | null;
}

/** Pages read before the search is given up. */
export const pagesMax = 5;
// Clocks of two machines differ; Slack's decides.
const slackSeconds = 120;

/** Whether the channel of this message can be searched at all. */
export function canSearch(params: SlackParams, message: SlackMessage): boolean {
  return params.check_history !== false && message.channel !== null && channelIdPattern.test(message.channel);
}

/** The request for one page (docs.slack.dev/reference/methods/conversations.history and .replies). */
export function historyRequest(
  command: Command,
  message: SlackMessage,
  target: HttpTarget,
  cursor: string | null,
): HttpRequest {
  const query = new URLSearchParams({
    channel: message.channel ?? '',
    ...(message.threadTs === null ? {} : { ts: message.threadTs }),
    oldest: String(Math.floor(command.created_at / 1000) - slackSeconds),
    inclusive: 'true',
    include_all_metadata: 'true',
    limit: '200',
    ...(cursor === null ? {} : { cursor }),
  });
  const method = message.threadTs === null ? 'conversations.history' : 'conversations.replies';
  return {
    ...baseRequest(target),
    method: 'GET',
    url: `${target.origin}${target.basePath}/api/${method}?${query}`,
    headers: [['user-agent', 'tocsin'], ...target.authorization],
    maxResponseBytes: 8 * 1024 * 1024,
  };
}

/** One page, or why it cannot be read. */
export function readPage(command: Command, response: HttpResponse, options: JudgeOptions): Page | Failed {
  const answer = readApi(response, options);
  if (isFailed(answer)) return answer;
  const found = asList(answer['messages']).find((message) => {
    const { event_type, event_payload } = asRecord(message['metadata']);
    return event_type === eventType && asRecord(event_payload)['command_id'] === command.command_id;
  });
  const next = asRecord(answer['response_metadata'])['next_cursor'];
  return {
    ts: typeof found?.['ts'] === 'string' ? found['ts'] : null,
    cursor: typeof next === 'string' && next !== '' ? next : null,
  };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' ? (value as Readonly<Record<string, unknown>>) : {};
}

function asList(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.map(asRecord) : [];
}
