// What a notification says when nobody wrote its text: title, severity, asset and link of a finding, the fields of one row, or
// a table of rows. Plain words and values; each receiver's own file makes markup of them.
import type { Command } from '@tocsin/schemas/types.ts';
import { cellText, columnsOf, type Row } from '../formats/columns.ts';
import { textTable } from '../formats/table.ts';
import { escapeHeader, textOf } from '../templates/escape.ts';
import { plainChat, webUrl } from '../templates/escape-chat.ts';
import { lookup, type Views } from '../templates/lookup.ts';
import { renderText, warningsOf } from '../templates/render.ts';
import { rowsOf } from '../templates/view.ts';

export interface Fact {
  readonly name: string;
  readonly value: string;
}

export interface Alert {
  /** One line. */
  readonly title: string;
  /** As the producer wrote it; null when the subject has none. */
  readonly severity: string | null;
  /** One line each. */
  readonly facts: readonly Fact[];
  /** Rows of a set, of which `shown` fit; null for one finding or row. */
  readonly set: RowSet | null;
  /** http or https; null when there is none. */
  readonly link: string | null;
}

export interface RowSet {
  readonly rows: readonly Row[];
  /** Rows of the whole set, those that are not shown included. */
  readonly total: number;
}

const titleMax = 250;
const valueMax = 300;
const factsMax = 10;

/** The alert of a command. `link` is an address that was configured and rendered; it wins over one in the data. */
export function alertOf(
  command: Command,
  options: { readonly maxRows: number; readonly link?: string },
): Alert {
  const rows = rowsOf(command);
  const first = rows[0] ?? {};
  const link = webUrl(options.link ?? '') ?? firstUrl(first);
  const { rows: given, search, total_rows } = command.subject;
  if (given === undefined) return { ...eventAlert(command, first), link };
  const name = textOf(search?.['name']) || (command.rule?.name ?? command.rule?.id ?? command.action.id);
  if (command.mode === 'all' && given.length !== 1)
    return {
      title: oneLine(name, titleMax),
      severity: null,
      facts: [],
      set: { rows: given.slice(0, options.maxRows), total: Math.max(total_rows ?? 0, given.length) },
      link: webUrl(options.link ?? ''),
    };
  const columns = columnsOf([first]);
  const facts = columns.slice(0, factsMax).map((column) => factOf(column, cellText(first, column)));
  const more = columns.length - facts.length;
  return {
    title: oneLine(name, titleMax),
    severity: severityOf(first),
    facts: more > 0 ? [...facts, factOf('…', `and ${more} more fields`)] : facts,
    set: null,
    link,
  };
}

function eventAlert(command: Command, data: Row): Omit<Alert, 'link'> {
  const at = (name: string): string => textOf(lookup(name, [data]));
  const severity = severityOf(data);
  const asset =
    at('asset.name') || at('asset.id') || (typeof data['asset'] === 'string' ? data['asset'] : at('host'));
  const facts: [string, string][] = [
    ['Severity', severity ?? ''],
    ['Asset', asset],
    ['CVSS', at('cvss')],
    ['Event', textOf(command.subject.event?.['event'])],
    ['Rule', command.rule?.name ?? command.rule?.id ?? ''],
  ];
  return {
    title: oneLine(
      at('title') || at('name') || textOf(command.subject.event?.['event']) || 'Alert',
      titleMax,
    ),
    severity,
    facts: facts.filter(([, value]) => value !== '').map(([name, value]) => factOf(name, value)),
    set: null,
  };
}

function severityOf(row: Row): string | null {
  const text = oneLine(textOf(lookup('severity', [row])), 32);
  return text === '' ? null : text;
}

function firstUrl(row: Row): string | null {
  for (const name of ['link', 'url', 'finding_url', 'permalink']) {
    const found = webUrl(textOf(lookup(name, [row])));
    if (found !== null) return found;
  }
  return null;
}

function factOf(name: string, value: string): Fact {
  return { name: oneLine(name, 64), value: oneLine(value, valueMax) };
}

/** One line without controls or direction marks, at most `max` characters. */
function oneLine(text: string, max: number): string {
  const chars = [...escapeHeader(plainChat(text)).trim()];
  return chars.length <= max ? chars.join('') : `${chars.slice(0, max - 1).join('')}…`;
}

/** `[CRITICAL] Title`, as the first line of a message. */
export function headline(alert: Pick<Alert, 'title' | 'severity'>): string {
  return alert.severity === null ? alert.title : `[${alert.severity.toUpperCase()}] ${alert.title}`;
}

/** Rows as an aligned table of at most `maxLength` characters, and the line about those left out; '' when none is. */
export function alertTable(
  set: RowSet,
  maxLength: number,
): { readonly table: string; readonly more: string } {
  let shown = set.rows.length;
  const draw = (): string => textTable(set.rows.slice(0, shown), { maxColumns: 8, maxCell: 40 });
  let table = draw();
  while (table.length > maxLength && shown > 1) {
    shown = Math.floor(shown / 2);
    table = draw();
  }
  return { table: table.slice(0, maxLength), more: moreRows(set, shown) };
}

/** `and 12 more`; '' when all rows are shown. */
export function moreRows(set: RowSet, shown: number): string {
  return set.total > shown ? `and ${set.total - shown} more` : '';
}

/** The address that the parameter `link` renders to. Throws TemplateError. */
export function renderLink(
  link: string | undefined,
  views: Views,
): { readonly url?: string; readonly warnings: readonly string[] } {
  if (link === undefined) return { warnings: [] };
  const rendered = renderText(link, views, 'none');
  const warnings = warningsOf('link', rendered);
  const url = rendered.text.trim();
  if (webUrl(url) !== null) return { url, warnings };
  return { warnings: [...warnings, 'link: is no http or https address and was left out'] };
}
