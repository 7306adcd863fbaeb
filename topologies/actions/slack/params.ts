// Parameters of the Slack action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import { checkChatConnection, checkNotice, type NoticeParams } from '../../domain/action/notice-params.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { checkBlockTemplates } from './block-kit.ts';

export interface SlackParams extends NoticeParams {
  readonly channel?: string;
  readonly text?: string;
  readonly blocks?: readonly Json[];
  readonly thread_ts?: string;
  readonly reply_broadcast?: boolean;
  readonly username?: string;
  readonly icon_emoji?: string;
  readonly unfurl?: boolean;
  readonly check_history?: boolean;
}

/** A channel as the API takes it: an id, or a name with or without #. */
export const channelPattern = /^(?:[CDGU][A-Z0-9]{6,20}|#?[\p{Ll}\p{Lo}\p{M}\p{N}._-]{1,80})$/u;
/** Only ids can be asked for their history. */
export const channelIdPattern = /^[CDG][A-Z0-9]{6,20}$/;

/** Issues of schema-valid parameters. */
export function checkSlack(params: SlackParams): Issue[] {
  const { channel, blocks } = params;
  const literal = channel !== undefined && !channel.includes('{{');
  return [
    ...checkTemplate(channel, 'header', '/channel'),
    ...(literal && !channelPattern.test(channel)
      ? [{ path: '/channel', message: 'must be the id of a channel or its #name' }]
      : []),
    ...checkTemplate(params.text, 'mrkdwn', '/text'),
    ...checkTemplate(params.thread_ts, 'header', '/thread_ts'),
    ...(blocks === undefined ? [] : checkBlockTemplates(blocks, '/blocks')),
    ...checkNotice(params),
  ];
}

export function checkSlackConnection(params: SlackParams, connection: Connection): Issue[] {
  return checkChatConnection({ ...params }, connection, {
    tokenOnly: ['channel', 'reply_broadcast', 'username', 'icon_emoji'],
    tokenNeeds: ['channel'],
  });
}
