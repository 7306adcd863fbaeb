// Builds the post of a Mattermost command: a pure function of command, connection and time.
//
// Invariant: only literal text of the author mentions people; values are escaped. Every post carries the command id: as
// pending_post_id, by which the server answers a repeat within 30 s with the first post, and as a property.
// Source: server/channels/app/post.go (deduplicateCreatePost), server/public/model/{post,incoming_webhook}.go.
import type { Command } from '@tocsin/schemas/types.ts';
import { type Alert, alertTable, headline } from '../../domain/action/alert.ts';
import type { JsonPost } from '../../domain/action/exchange.ts';
import { failed, invalidBody, isFailed } from '../../domain/action/fail.ts';
import type { HttpTarget } from '../../domain/action/http-target.ts';
import { noticeText } from '../../domain/action/notice.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { escapeMarkdown, fencedText } from '../../domain/templates/escape-chat.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { viewsOf } from '../../domain/templates/view.ts';
import { attachmentRules, checkAttachments } from './attachments.ts';
import { channelFits, channelWords, idPattern, type MattermostParams } from './params.ts';

/** Characters of a post with the database column of today (model.PostMessageMaxRunesV2). */
export const textMax = 16_383;
const tableMax = 8_000;

type Tree = { readonly [key: string]: Json };

/** Throws TemplateError when a template cannot be rendered. `now` is epoch ms of this attempt. */
export function mattermostPost(
  command: Command,
  params: MattermostParams,
  target: HttpTarget,
  now: number,
): JsonPost | Failed {
  const views = viewsOf(command, { now });
  const withToken = target.secretPath === null;
  const warnings: string[] = [];
  const channel = params.channel === undefined ? null : channelOf(params.channel, withToken, views);
  if (isFailed(channel)) return channel;
  const rootId = params.root_id === undefined ? null : rootOf(params.root_id, views, warnings);
  const text = noticeText(command, params, views, {
    escape: 'markdown',
    maxLength: textMax,
    write: defaultText,
  });
  warnings.push(...text.warnings);
  const attachments = attachmentsOf(params, views, warnings);
  if (isFailed(attachments)) return attachments;
  const props = { ...propsOf(params, views, warnings), tocsin_command_id: command.command_id };
  const priority = priorityOf(params);
  if (!withToken)
    return {
      path: null,
      body: {
        text: text.value,
        ...(channel === null ? {} : { channel }),
        ...(params.username === undefined ? {} : { username: params.username }),
        ...(params.icon_url === undefined ? {} : { icon_url: params.icon_url }),
        ...(params.icon_emoji === undefined ? {} : { icon_emoji: params.icon_emoji }),
        ...(attachments === null ? {} : { attachments }),
        props,
        ...(priority === null ? {} : { priority }),
      },
      warnings,
    };
  return {
    path: '/api/v4/posts',
    body: {
      channel_id: channel ?? '',
      message: text.value,
      ...(rootId === null ? {} : { root_id: rootId }),
      pending_post_id: command.command_id,
      props: attachments === null ? props : { ...props, attachments },
      ...(priority === null ? {} : { metadata: { priority } }),
    },
    warnings,
  };
}

function channelOf(template: string, withToken: boolean, views: Views): string | Failed {
  const channel = renderText(template, views, 'header').text.trim();
  if (channelFits(channel, withToken)) return channel;
  return failed(
    'template',
    `channel: renders to ${JSON.stringify(channel.slice(0, 80))}, but ${channelWords(withToken)}`,
  );
}

function rootOf(template: string, views: Views, warnings: string[]): string | null {
  const rendered = renderText(template, views, 'header');
  const id = rendered.text.trim();
  if (idPattern.test(id)) return id;
  warnings.push(...warningsOf('root_id', rendered), 'root_id: is no id of a post; posted as a new message');
  return null;
}

/** The default text in Markdown. */
export function defaultText(alert: Alert): string {
  const lines = [`**${escapeMarkdown(headline(alert))}**`];
  for (const { name, value } of alert.facts) lines.push(`${escapeMarkdown(name)}: ${escapeMarkdown(value)}`);
  if (alert.set !== null) {
    const { table, more } = alertTable(alert.set, tableMax);
    lines.push(`${alert.set.total} results`);
    if (table !== '') lines.push(`\`\`\`\n${fencedText(table)}\n\`\`\``);
    if (more !== '') lines.push(more);
  }
  if (alert.link !== null) lines.push(`[Open](${escapeMarkdown(alert.link)})`);
  return lines.join('\n');
}

function attachmentsOf(params: MattermostParams, views: Views, warnings: string[]): Json | Failed | null {
  if (params.attachments === undefined) return null;
  const rendered = renderJson(params.attachments, views, attachmentRules);
  const issues = checkAttachments(rendered.value, '/attachments');
  if (issues.length > 0) return invalidBody(rendered.missing, issues);
  warnings.push(...warningsOf('attachments', rendered));
  return rendered.value;
}

function propsOf(params: MattermostParams, views: Views, warnings: string[]): Tree {
  if (params.props === undefined) return {};
  const rendered = renderJson(params.props, views);
  warnings.push(...warningsOf('props', rendered));
  return rendered.value as Tree;
}

function priorityOf({ priority }: MattermostParams): Json | null {
  if (priority === undefined) return null;
  return {
    priority: priority.level === 'standard' ? '' : priority.level,
    ...(priority.requested_ack === undefined ? {} : { requested_ack: priority.requested_ack }),
    ...(priority.persistent === undefined ? {} : { persistent_notifications: priority.persistent }),
  };
}
