// Names of indices in Elasticsearch and OpenSearch: dates in them, and which names the servers take.
//
// Surprise: a week number belongs to the ISO week-year (xxxx.ww); with the calendar year the first days of January would land in the
// year before or behind (Joda-Time DateTimeFormat, which Logstash's %{+...} uses).
import { clockParts } from '../rules/instant.ts';

const dates = /%\{\+([^}]*)\}/g;
const letters = /(y+|Y+|x+|M+|d+|D+|H+|w+)|([a-zA-Z])|([^a-zA-Z])/g;
const dayMs = 86_400_000;

/** Why the date patterns in `text` cannot be used; null when they can. */
export function checkDatePatterns(text: string): string | null {
  for (const [, pattern = ''] of text.matchAll(dates)) {
    const fields = [...pattern.matchAll(letters)];
    const unknown = fields.find(([, field, letter]) => letter !== undefined || (field && !known.has(field)));
    if (fields.length === 0 || unknown !== undefined)
      return `%{+${pattern}} is no date pattern of yyyy, YYYY, xxxx, MM, dd, DDD, HH and ww`;
    if (/w/.test(pattern) && /[yY]/.test(pattern)) return `%{+${pattern}}: weeks belong to the year xxxx`;
  }
  return text.replaceAll(dates, '').includes('%{')
    ? 'fields are written as {{field}}, dates as %{+YYYY.MM.dd}'
    : null;
}

const known: ReadonlySet<string> = new Set(['yyyy', 'YYYY', 'xxxx', 'MM', 'dd', 'DDD', 'HH', 'ww']);

/** `text` with its date patterns filled in, in UTC; `time` is epoch ms. */
export function fillDates(text: string, time: number): string {
  return text.replaceAll(dates, (_, pattern: string) =>
    pattern.replaceAll(letters, (letter, field: string | undefined) =>
      field === undefined ? letter : fieldText(field, time),
    ),
  );
}

function fieldText(field: string, time: number): string {
  const parts = clockParts(time, 0);
  const two = (value: number): string => String(value).padStart(2, '0');
  const four = (value: number): string => String(value).padStart(4, '0');
  const newYear = Date.UTC(parts.year, 0, 1);
  switch (field) {
    case 'xxxx':
      // The year of the week's Thursday.
      return four(new Date(time + (4 - parts.weekday) * dayMs).getUTCFullYear());
    case 'MM':
      return two(parts.month);
    case 'dd':
      return two(parts.day);
    case 'DDD':
      return String(Math.floor((time - newYear) / dayMs) + 1).padStart(3, '0');
    case 'HH':
      return two(parts.hour);
    case 'ww':
      return two(parts.week);
    default:
      return four(parts.year);
  }
}

/** Why no index can have this name (MetadataCreateIndexService.validateIndexOrAliasName); null when one can. */
export function refuseIndexName(name: string): string | null {
  if (name === '' || name === '.' || name === '..') return 'is empty';
  if (name !== name.toLowerCase()) return 'has capital letters';
  if (/^[-_+]/.test(name)) return 'begins with - _ or +';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\\/*?"<>|\s,#:\u0000-\u001f\u007f]/.test(name))
    return 'holds one of \\ / * ? " < > | , # : or a space';
  return Buffer.byteLength(name) > 255 ? 'is longer than 255 bytes' : null;
}
