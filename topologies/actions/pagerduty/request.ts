// Builds the event of a PagerDuty command: a pure function of command, parameters, key and time.
//
// Invariant: what PagerDuty limits is within its limits or not sent: 1,024 characters of summary, 255 of dedup_key, 512 KB in all.
// Sources: developer.pagerduty.com/docs/events-api-v2/trigger-events and /overview ("Size Limits").
import type { Command } from '@tocsin/schemas/types.ts';
import { type Alert, headline } from '../../domain/action/alert.ts';
import type { JsonPost } from '../../domain/action/exchange.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import { noticeAlert } from '../../domain/action/notice.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { parseInstant } from '../../domain/rules/instant.ts';
import { escapeHeader, textOf } from '../../domain/templates/escape.ts';
import { cutText, plainChat, webUrl } from '../../domain/templates/escape-chat.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import { lookup, type Views } from '../../domain/templates/lookup.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import { rowsOf, viewsOf } from '../../domain/templates/view.ts';
import type { PagerdutyParams } from './params.ts';
import { type Level, levelOf } from './severity.ts';

const summaryMax = 1024;
const keyMax = 255;
const eventMaxBytes = 512 * 1024;

/** Of one command: its views, and what a person should know of it. */
interface Making {
  readonly views: Views;
  readonly warnings: string[];
}

/** Throws TemplateError when a template cannot be rendered. `now` is epoch ms of this attempt. */
export function pagerdutyEvent(
  command: Command,
  params: PagerdutyParams,
  routingKey: string,
  now: number,
): JsonPost | Failed {
  const making: Making = { views: viewsOf(command, { now }), warnings: [] };
  const key = dedupKeyOf(command, params, making);
  if (isFailed(key)) return key;
  const { event_action = 'trigger' } = params;
  const head = { routing_key: routingKey, event_action, dedup_key: key };
  const content = event_action === 'trigger' ? contentOf(command, params, making) : {};
  if (isFailed(content)) return content;
  const body = { ...head, ...content };
  const bytes = Buffer.byteLength(JSON.stringify(body));
  if (bytes > eventMaxBytes)
    return failed(
      'too_large',
      `the event has ${bytes} bytes, more than the ${eventMaxBytes} that PagerDuty takes`,
    );
  return { path: '/v2/enqueue', body, warnings: [...new Set(making.warnings)] };
}

function dedupKeyOf(command: Command, { dedup_key }: PagerdutyParams, { views }: Making): string | Failed {
  if (dedup_key === undefined) return command.command_id;
  const { text, empty } = renderText(dedup_key, views, 'header');
  const key = text.trim();
  // Alerts of different subjects would become one.
  if (empty.length > 0 || key === '')
    return failed(
      'template',
      `dedup_key: ${empty.length > 0 ? `{{${empty[0]}}} has no value` : 'renders to nothing'}`,
    );
  if ([...key].length > keyMax)
    return failed(
      'invalid_body',
      `dedup_key: renders to ${[...key].length} characters, PagerDuty takes ${keyMax}`,
    );
  return key;
}

function contentOf(command: Command, params: PagerdutyParams, making: Making): Record<string, Json> | Failed {
  const { value: alert, warnings } = noticeAlert(command, params, making.views);
  making.warnings.push(...warnings);
  const write = (name: 'component' | 'group' | 'class', fallback = ''): Record<string, Json> => {
    const value = textIn(params, name, making) || fallback;
    return value === '' ? {} : { [name]: value };
  };
  const images = imagesOf(params, making);
  if (isFailed(images)) return images;
  const at = timestampOf(command);
  const url = textIn(params, 'client_url', making);
  return {
    payload: {
      summary: cutText(textIn(params, 'summary', making) || headlineOf(alert), summaryMax),
      source: textIn(params, 'source', making) || sourceOf(command),
      severity: severityOf(params, alert, making),
      ...(at === null ? {} : { timestamp: at }),
      ...write('component'),
      ...write('group'),
      ...write('class', oneLine(textOf(command.subject.event?.['event']))),
      custom_details: detailsOf(command, params, alert, making),
    },
    client: textIn(params, 'client', making) || 'Tocsin',
    ...(webUrl(url) === null ? {} : { client_url: url }),
    ...(alert.link === null ? {} : { links: [{ href: alert.link, text: 'Open' }] }),
    ...(images.length === 0 ? {} : { images }),
  };
}

type TextName = 'summary' | 'source' | 'severity' | 'component' | 'group' | 'class' | 'client' | 'client_url';

function textIn(params: PagerdutyParams, name: TextName, { views, warnings }: Making): string {
  const template = params[name];
  if (template === undefined) return '';
  const rendered = renderText(template, views, 'header');
  warnings.push(...warningsOf(name, rendered));
  return oneLine(rendered.text);
}

/** Without controls and direction marks. */
function oneLine(text: string): string {
  return escapeHeader(plainChat(text)).trim();
}

function headlineOf(alert: Alert): string {
  return alert.set === null ? headline(alert) : `${headline(alert)}: ${alert.set.total} results`;
}

function sourceOf(command: Command): string {
  const [first = {}] = rowsOf(command);
  for (const name of ['asset.name', 'asset.id', 'asset', 'host.name', 'host']) {
    const found = lookup(name, [first]);
    const text = typeof found === 'object' ? '' : oneLine(textOf(found));
    if (text !== '' && (command.mode !== 'all' || rowsOf(command).length === 1)) return text;
  }
  return 'tocsin';
}

function severityOf(params: PagerdutyParams, alert: Alert, making: Making): Level {
  const word = params.severity === undefined ? (alert.severity ?? '') : textIn(params, 'severity', making);
  const level = levelOf(word, params.severities);
  if (level !== null) return level;
  const fallback = params.default_severity ?? 'error';
  if (word !== '')
    making.warnings.push(
      `severity: ${JSON.stringify(word.slice(0, 64))} is no severity; sent as ${fallback}`,
    );
  return fallback;
}

/** When the producer saw it, where it says so in a form that has one meaning. */
function timestampOf({ subject }: Command): string | null {
  const at = parseInstant(textOf(subject.event?.['timestamp']));
  return at === undefined ? null : new Date(at).toISOString();
}

function detailsOf(
  command: Command,
  params: PagerdutyParams,
  alert: Alert,
  { views, warnings }: Making,
): Json {
  const id = { command_id: command.command_id };
  if (params.custom_details !== undefined) {
    const rendered = renderJson(params.custom_details, views);
    warnings.push(...warningsOf('custom_details', rendered));
    return { ...(rendered.value as Record<string, Json>), ...id };
  }
  if (alert.set !== null) {
    const { total } = alert.set;
    const rows = fitting(alert.set.rows as readonly Json[]);
    return { total, rows, ...(total > rows.length ? { more: total - rows.length } : {}), ...id };
  }
  const [first = {}] = rowsOf(command) as readonly { readonly [key: string]: Json }[];
  if (fits(first)) return { ...first, ...id };
  warnings.push('custom_details: the data is too large and was replaced by the facts of the message');
  return { ...Object.fromEntries(alert.facts.map(({ name, value }) => [name, value])), ...id };
}

// Half of what an event may have; the other half is for everything else.
const fits = (value: Json): boolean => Buffer.byteLength(JSON.stringify(value)) <= eventMaxBytes / 2;

function fitting(rows: readonly Json[]): readonly Json[] {
  let shown = rows;
  while (shown.length > 0 && !fits(shown)) shown = shown.slice(0, Math.floor(shown.length / 2));
  return shown;
}

function imagesOf({ images = [] }: PagerdutyParams, { views, warnings }: Making): Json[] | Failed {
  const found: Json[] = [];
  for (const [index, image] of images.entries()) {
    const part = (name: 'src' | 'href' | 'alt'): string => {
      if (image[name] === undefined) return '';
      const rendered = renderText(image[name], views, name === 'alt' ? 'header' : 'none');
      warnings.push(...warningsOf(`images ${index} ${name}`, rendered));
      return rendered.text.trim();
    };
    const [src, href, alt] = [part('src'), part('href'), part('alt')];
    if (webUrl(src) === null || !/^https:/i.test(src))
      return failed('invalid_body', `/images/${index}/src: must be an https address`);
    found.push({ src, ...(webUrl(href) === null ? {} : { href }), ...(alt === '' ? {} : { alt }) });
  }
  return found;
}
