// Parameters of the Mattermost action as a type, and the checks that its JSON Schema cannot express.
import type { Issue } from '@tocsin/schemas/codecs/validate.ts';
import type { Connection } from '@tocsin/schemas/types.ts';
import {
  chatAccess,
  checkChatConnection,
  checkNotice,
  type NoticeParams,
} from '../../domain/action/notice-params.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { checkTemplate } from '../../domain/templates/check.ts';
import { checkJsonTemplate } from '../../domain/templates/json-template.ts';
import { checkAttachmentTemplates } from './attachments.ts';

export interface MattermostParams extends NoticeParams {
  readonly channel?: string;
  readonly text?: string;
  readonly attachments?: readonly Json[];
  readonly root_id?: string;
  readonly username?: string;
  readonly icon_url?: string;
  readonly icon_emoji?: string;
  readonly priority?: {
    readonly level: 'standard' | 'important' | 'urgent';
    readonly requested_ack?: boolean;
    readonly persistent?: boolean;
  };
  readonly props?: { readonly [key: string]: Json };
}

/** Ids of channels and posts: 26 characters of the server's base 32. */
export const idPattern = /^[a-z0-9]{26}$/;
/** Name of a channel, or of a person for a direct message. */
export const namePattern = /^[#@]?[a-z0-9][a-z0-9._-]{0,63}$/;

/** Properties that the server or this action sets (server/public/model/post.go). */
const reserved: ReadonlySet<string> = new Set([
  'attachments',
  'from_webhook',
  'from_bot',
  'from_plugin',
  'from_oauth_app',
  'override_username',
  'override_icon_url',
  'override_icon_emoji',
  'webhook_display_name',
  'force_notification',
  'tocsin_command_id',
]);

/** Issues of schema-valid parameters. */
export function checkMattermost(params: MattermostParams): Issue[] {
  const { attachments, props, priority } = params;
  return [
    ...checkTemplate(params.channel, 'header', '/channel'),
    ...checkTemplate(params.text, 'markdown', '/text'),
    ...checkTemplate(params.root_id, 'header', '/root_id'),
    ...(attachments === undefined ? [] : checkAttachmentTemplates(attachments, '/attachments')),
    ...(props === undefined ? [] : checkJsonTemplate(props, '/props')),
    ...Object.keys(props ?? {})
      .filter((name) => reserved.has(name))
      .map((name) => ({ path: `/props/${name}`, message: 'is set by the server or by this action' })),
    ...(priority?.persistent === true && priority.level !== 'urgent'
      ? [{ path: '/priority/persistent', message: 'needs level urgent' }]
      : []),
    ...(priority !== undefined && params.root_id !== undefined
      ? [{ path: '/priority', message: 'cannot be set in a thread (root_id)' }]
      : []),
    ...checkNotice(params),
  ];
}

export function checkMattermostConnection(params: MattermostParams, connection: Connection): Issue[] {
  const issues = checkChatConnection({ ...params }, connection, {
    tokenOnly: ['root_id'],
    webhookOnly: ['username', 'icon_url', 'icon_emoji'],
    tokenNeeds: ['channel'],
  });
  const { channel } = params;
  if (issues.length > 0 || connection.type !== 'http' || channel === undefined || channel.includes('{{'))
    return issues;
  return channelFits(channel, chatAccess(connection) === 'token')
    ? []
    : [{ path: '/channel', message: channelWords(chatAccess(connection) === 'token') }];
}

export function channelFits(channel: string, withToken: boolean): boolean {
  return (withToken ? idPattern : namePattern).test(channel);
}

export function channelWords(withToken: boolean): string {
  return withToken
    ? 'must be the id of a channel (26 letters and digits) with a bot token'
    : 'over a webhook must be the name of a channel, or @ and the name of a person';
}
