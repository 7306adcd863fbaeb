// Builds the message of a Teams command: a pure function of command, connection and time.
//
// Invariant: no more than 28 KB leave the system, and only the author's text mentions people. The command id travels as the
// header webhook-id, by which a workflow can tell a repeat; a card has no place for it.
import type { Command } from '@tocsin/schemas/types.ts';
import { type Alert, headline, moreRows, type RowSet } from '../../domain/action/alert.ts';
import type { JsonPost } from '../../domain/action/exchange.ts';
import { failed, invalidBody, isFailed } from '../../domain/action/fail.ts';
import { noticeAlert } from '../../domain/action/notice.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { cellText, columnsOf } from '../../domain/formats/columns.ts';
import { cutText, escapeMarkdown } from '../../domain/templates/escape-chat.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import type { Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { viewsOf } from '../../domain/templates/view.ts';
import { cardVersion, checkCard } from './card-schema.ts';
import { cardRules, checkAddresses, messageMaxBytes, type TeamsParams } from './params.ts';

const textMax = 6_000;
const factMax = 500;
const columnsMax = 6;

/** Throws TemplateError when a template cannot be rendered. `now` is epoch ms of this attempt. */
export function teamsMessage(command: Command, params: TeamsParams, now: number): JsonPost | Failed {
  const views = viewsOf(command, { now });
  const warnings: string[] = [];
  const card =
    params.card === undefined
      ? defaultCard(command, params, views, warnings)
      : ownCard(params.card, views, warnings);
  if (isFailed(card)) return card;
  const body = envelope(card);
  const bytes = sizeOf(card);
  if (bytes > messageMaxBytes)
    return failed(
      'too_large',
      `the message has ${bytes} bytes, more than the ${messageMaxBytes} that Teams takes`,
    );
  return { path: null, headers: [['webhook-id', command.command_id]], body, warnings };
}

/** The message around a card (learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using). */
function envelope(card: Json): Json {
  return {
    type: 'message',
    attachments: [
      { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: card },
    ],
  };
}

const sizeOf = (card: Json): number => Buffer.byteLength(JSON.stringify(envelope(card)));

function ownCard(tree: { readonly [key: string]: Json }, views: Views, warnings: string[]): Json | Failed {
  const rendered = renderJson(tree, views, cardRules);
  const issues = [...checkCard(rendered.value, '/card'), ...checkAddresses(rendered.value, '/card')];
  if (issues.length > 0) return invalidBody(rendered.missing, issues);
  warnings.push(...warningsOf('card', rendered));
  return rendered.value;
}

function defaultCard(command: Command, params: TeamsParams, views: Views, warnings: string[]): Json {
  const add = (field: string, template: string, max: number): string => {
    const rendered = renderText(template, views, 'markdown');
    warnings.push(...warningsOf(field, rendered));
    const text = cutText(rendered.text, max);
    if (text !== rendered.text) warnings.push(`${field}: cut at ${max} characters`);
    return text;
  };
  const { value: alert, warnings: linkWarnings } = noticeAlert(command, params, views);
  warnings.push(...linkWarnings);
  const title =
    (params.title === undefined ? '' : add('title', params.title, 1_000)) || escapeMarkdown(headline(alert));
  const text = params.text === undefined ? '' : add('text', params.text, textMax);
  const facts = (
    params.facts?.map(({ title: name, value }, index) => ({
      title: add(`facts ${index} title`, name, factMax) || '-',
      value: add(`facts ${index} value`, value, factMax) || '-',
    })) ??
    alert.facts.map(({ name, value }) => ({ title: escapeMarkdown(name), value: escapeMarkdown(value) }))
  ).slice(0, 20);
  const cardWith = (shown: number): Json => ({
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: cardVersion,
    body: [
      { type: 'TextBlock', text: title, size: 'Medium', weight: 'Bolder', wrap: true, color: colorOf(alert) },
      ...(text === '' ? [] : [{ type: 'TextBlock', text, wrap: true }]),
      ...(facts.length === 0 ? [] : [{ type: 'FactSet', facts }]),
      ...(alert.set === null || params.facts !== undefined ? [] : rowElements(alert.set, shown)),
    ],
    ...(alert.link === null ? {} : { actions: [{ type: 'Action.OpenUrl', title: 'Open', url: alert.link }] }),
  });
  let shown = alert.set?.rows.length ?? 0;
  let card = cardWith(shown);
  while (shown > 0 && sizeOf(card) > messageMaxBytes) {
    shown = Math.floor(shown / 2);
    card = cardWith(shown);
  }
  return card;
}

function rowElements(set: RowSet, shown: number): Json[] {
  const rows = set.rows.slice(0, shown);
  const columns = columnsOf(rows).slice(0, columnsMax);
  const cell = (text: string, header = false): Json => ({
    type: 'TableCell',
    items: [
      {
        type: 'TextBlock',
        text: escapeMarkdown(cutText(text, 200)) || '-',
        wrap: true,
        ...(header ? { weight: 'Bolder' } : {}),
      },
    ],
  });
  const table: Json = {
    type: 'Table',
    firstRowAsHeader: true,
    columns: columns.map(() => ({ width: 1 })),
    rows: [
      { type: 'TableRow', cells: columns.map((name) => cell(name, true)) },
      ...rows.map(
        (row): Json => ({ type: 'TableRow', cells: columns.map((name) => cell(cellText(row, name))) }),
      ),
    ],
  };
  const more = moreRows(set, shown);
  return [
    { type: 'TextBlock', text: `${set.total} results`, wrap: true },
    ...(columns.length === 0 ? [] : [table]),
    ...(more === '' ? [] : [{ type: 'TextBlock', text: more, isSubtle: true, wrap: true }]),
  ];
}

function colorOf({ severity }: Alert): string {
  const word = severity?.toLowerCase() ?? '';
  if (word === 'critical' || word === 'high') return 'Attention';
  return word === 'medium' ? 'Warning' : 'Default';
}
