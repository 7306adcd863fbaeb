// Builds the message of a Slack command: a pure function of command, connection and time.
//
// Invariant: only literal text of the author calls people (<!here>, <@U...>); values are escaped. Every message carries the
// command id as metadata, by which a repeat is recognised.

import type { Command } from '@tocsin/schemas/types.ts';
import { type Alert, alertTable, headline } from '../../domain/action/alert.ts';
import type { JsonPost } from '../../domain/action/exchange.ts';
import { failed, invalidBody, isFailed } from '../../domain/action/fail.ts';
import type { HttpTarget } from '../../domain/action/http-target.ts';
import { noticeText } from '../../domain/action/notice.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { entitiesOf, escapeMrkdwn, fencedText } from '../../domain/templates/escape-chat.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { viewsOf } from '../../domain/templates/view.ts';
import { blockRules, checkBlocks } from './block-kit.ts';
import { channelPattern, type SlackParams } from './params.ts';

/** Slack cuts a text here without a word (docs.slack.dev/reference/methods/chat.postMessage). */
export const textMax = 40_000;
/** Of a default table, so that the message stays within the 4,000 characters that Slack recommends. */
const tableMax = 2_800;

export const eventType = 'tocsin_command';

export interface SlackMessage extends JsonPost {
  /** Channel as rendered; null over a webhook. */
  readonly channel: string | null;
  /** Message that is answered; null at the top of the channel. */
  readonly threadTs: string | null;
}

/** Throws TemplateError when a template cannot be rendered. `now` is epoch ms of this attempt. */
export function slackMessage(
  command: Command,
  params: SlackParams,
  target: HttpTarget,
  now: number,
): SlackMessage | Failed {
  const views = viewsOf(command, { now });
  const channel = target.secretPath === null ? channelOf(params.channel ?? '', views) : null;
  if (isFailed(channel)) return channel;
  const text = noticeText(command, params, views, {
    escape: 'mrkdwn',
    maxLength: textMax,
    write: defaultText,
  });
  const blocks = blocksOf(params, views);
  if (isFailed(blocks)) return blocks;
  const thread = threadOf(params.thread_ts, views);
  return {
    path: channel === null ? null : '/api/chat.postMessage',
    channel,
    threadTs: thread.ts,
    body: {
      ...(channel === null ? {} : { channel }),
      text: text.value,
      ...(blocks === null ? {} : { blocks: blocks.value }),
      ...(thread.ts === null ? {} : { thread_ts: thread.ts }),
      ...(thread.ts === null || params.reply_broadcast !== true ? {} : { reply_broadcast: true }),
      ...(params.username === undefined ? {} : { username: params.username }),
      ...(params.icon_emoji === undefined ? {} : { icon_emoji: params.icon_emoji }),
      unfurl_links: params.unfurl === true,
      unfurl_media: params.unfurl === true,
      metadata: { event_type: eventType, event_payload: { command_id: command.command_id } },
    },
    warnings: [...text.warnings, ...(blocks?.warnings ?? []), ...thread.warnings],
  };
}

function channelOf(template: string, views: Views): string | Failed {
  const { text } = renderText(template, views, 'header');
  const channel = text.trim();
  if (channelPattern.test(channel)) return channel;
  return failed(
    'template',
    `channel: renders to ${JSON.stringify(channel.slice(0, 80))}, which is no channel`,
  );
}

/** The default text in mrkdwn. */
export function defaultText(alert: Alert): string {
  const lines = [`*${escapeMrkdwn(headline(alert)).replaceAll('*', '∗')}*`];
  for (const { name, value } of alert.facts) lines.push(`${escapeMrkdwn(name)}: ${escapeMrkdwn(value)}`);
  if (alert.set !== null) {
    const { table, more } = alertTable(alert.set, tableMax);
    lines.push(`${alert.set.total} results`);
    if (table !== '') lines.push(`\`\`\`\n${entitiesOf(fencedText(table))}\n\`\`\``);
    if (more !== '') lines.push(more);
  }
  if (alert.link !== null) lines.push(`<${escapeMrkdwn(alert.link, true)}|Open>`);
  return lines.join('\n');
}

function blocksOf(
  params: SlackParams,
  views: Views,
): { readonly value: Json; readonly warnings: readonly string[] } | Failed | null {
  if (params.blocks === undefined) return null;
  const rendered = renderJson(params.blocks, views, blockRules);
  const issues = checkBlocks(rendered.value, '/blocks');
  if (issues.length > 0) return invalidBody(rendered.missing, issues);
  return { value: rendered.value, warnings: warningsOf('blocks', rendered) };
}

function threadOf(
  template: string | undefined,
  views: Views,
): { readonly ts: string | null; readonly warnings: readonly string[] } {
  if (template === undefined) return { ts: null, warnings: [] };
  const rendered = renderText(template, views, 'header');
  const ts = rendered.text.trim();
  if (/^\d{1,12}\.\d{1,6}$/.test(ts)) return { ts, warnings: [] };
  return {
    ts: null,
    warnings: [
      ...warningsOf('thread_ts', rendered),
      'thread_ts: is no timestamp of a message; posted as a new message',
    ],
  };
}
