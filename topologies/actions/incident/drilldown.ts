// Where an incident says to look further. A search has absolute bounds: what `now` was is decided when the incident is made.
//
// Surprise: values decide bounds and links, and they may be anything; what cannot be used is left out with a warning, because an
// incident without its drilldown is still an incident.
import type { Command } from '@tocsin/schemas/types.ts';
import { causedAt } from '../../domain/action/record/event.ts';
import type { Writer } from '../../domain/action/ticket/render.ts';
import type { Drilldown, TimeWindow } from '../../domain/incident/incident.ts';
import { parseInstant, readInstant } from '../../domain/rules/instant.ts';
import { renderText, warningsOf } from '../../domain/templates/render.ts';
import type { IncidentParams, SearchParams } from './params.ts';

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
/** Around an event, which has no time range. */
export const aroundEventMs = 15 * 60_000;
const latestTime = Date.UTC(9999, 11, 31);

/** Epoch ms of a bound; null when it is none. `now` is epoch ms. */
export function readBound(text: string, now: number): number | null {
  const word = text.trim();
  const relative = /^now(?:([+-])(\d{1,6})([smhdw]))?$/.exec(word);
  const at =
    relative === null
      ? parseInstant(word)
      : now +
        Number(`${relative[1] ?? ''}${relative[2] ?? 0}`) *
          unitMs[(relative[3] ?? 's') as keyof typeof unitMs];
  return at === undefined || at < -latestTime || at > latestTime ? null : at;
}

/** The time range of the search job, or some time around the event. Epoch ms. */
export function windowOf(command: Command): TimeWindow {
  const { search, event } = command.subject;
  const [from, to] = [readInstant(search?.['time_from']), readInstant(search?.['time_to'])];
  const at = readInstant(event?.['timestamp']) ?? readInstant(search?.['started_at']) ?? causedAt(command);
  return { from: from ?? (to ?? at) - aroundEventMs, to: to ?? (from ?? at) + aroundEventMs };
}

export function writeDrilldown(
  writer: Writer,
  command: Command,
  { drilldown }: IncidentParams,
): Drilldown | null {
  if (drilldown === undefined) return null;
  if (drilldown.type === 'search') return writeSearch(writer, command, drilldown);
  const rendered = renderText(drilldown.url, writer.views, 'url');
  writer.warnings.push(...warningsOf('drilldown/url', rendered));
  const url = rendered.text;
  // Literal text of the author may have made it invalid; the host has no tokens.
  if (url.length <= 4_096 && URL.canParse(url)) return { type: 'link', url };
  writer.warnings.push('drilldown/url: is no address and was left out');
  return null;
}

function writeSearch(writer: Writer, command: Command, search: SearchParams): Drilldown {
  // As JSON: inside quotes a value is escaped, outside them it becomes a quoted text, so it adds no term to the query.
  const text = renderText(search.text, writer.views, 'json');
  writer.warnings.push(...warningsOf('drilldown/text', text));
  const window = windowOf(command);
  const bound = (name: 'earliest' | 'latest', otherwise: number): number => {
    const template = search[name];
    if (template === undefined) return otherwise;
    const rendered = renderText(template, writer.views, 'none');
    writer.warnings.push(...warningsOf(`drilldown/${name}`, rendered));
    const at = readBound(rendered.text, command.created_at);
    if (at === null)
      writer.warnings.push(`drilldown/${name}: is no time; that of the search is used instead`);
    return at ?? otherwise;
  };
  let [from, to] = [bound('earliest', window.from), bound('latest', window.to)];
  if (from > to) {
    writer.warnings.push('drilldown/earliest: is after latest; the range of the search is used instead');
    ({ from, to } = window);
  }
  return {
    type: 'search',
    text: text.text,
    time_from: new Date(from).toISOString(),
    time_to: new Date(to).toISOString(),
  };
}
