// Index names made of text, the UTC time of the event (%{+YYYY.MM.dd}) and fields of the event (%{[data][severity]}).
//
// Invariant: whatever an event holds, the name is one that the servers allow, and it begins with what the configuration says,
// so that no event chooses a system index (.kibana, .security).
// Sources: Logstash "Event dependent configuration"; Joda-Time DateTimeFormat, where YYYY is the calendar year and xxxx the year of
// the week; Elasticsearch "Create index" path parameters: lower case, at most 255 bytes, none of \ / * ? " < > | space , # :

export interface FieldPath {
  readonly names: readonly string[];
}

type Part = string | { readonly date: string } | FieldPath;

export interface IndexPattern {
  readonly parts: readonly Part[];
  readonly hasDate: boolean;
  readonly hasFields: boolean;
}

const maxNameBytes = 255;
/** Bytes of a field in a name; longer values are cut. */
const maxFieldBytes = 100;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
const forbidden = /[\\/*?"<>|\s,#:\u0000-\u001f\u007f]/g;
const dateTokens = /YYYY|yyyy|xxxx|DDD|MM|dd|HH|ww/g;

/** The compiled pattern, or what is wrong with it. */
export function parseIndexPattern(text: string): IndexPattern | { readonly error: string } {
  const parts: Part[] = [];
  let literal = '';
  let bytes = 0;
  for (const piece of text.split(/(%\{[^}]*\})/)) {
    if (!piece.startsWith('%{') || !piece.endsWith('}')) {
      literal += piece;
      if (piece !== '') parts.push(piece);
      bytes += Buffer.byteLength(piece);
      continue;
    }
    const inner = piece.slice(2, -1);
    if (inner.startsWith('+')) {
      const date = inner.slice(1);
      if (date.replace(dateTokens, '').replace(/[._-]/g, '') !== '' || !/[a-zA-Z]/.test(date))
        return {
          error: `%{+${date}} may hold YYYY, MM, dd, HH, DDD, xxxx and ww (year and number of the ISO week), and . _ -`,
        };
      parts.push({ date });
      bytes += date.length;
    } else {
      const path = parseField(inner);
      if (path === null) return { error: `%{${inner}} is no field: write %{[data][severity]}` };
      parts.push(path);
      bytes += maxFieldBytes;
    }
  }
  if (/[%{}]/.test(literal)) return { error: 'has a % or a brace outside of %{…}' };
  if (literal !== literal.toLowerCase()) return { error: 'must be in lower case' };
  if (literal.replace(forbidden, '') !== literal)
    return { error: String.raw`holds one of \ / * ? " < > | , # : or white space` };
  if (!/^[a-z0-9]/.test(text)) return { error: 'must begin with a letter or a digit' };
  if (bytes > maxNameBytes)
    return { error: `may become ${bytes} bytes long (${maxFieldBytes} for a field); the servers allow 255` };
  return {
    parts,
    hasDate: parts.some((part) => typeof part === 'object' && 'date' in part),
    hasFields: parts.some((part) => typeof part === 'object' && 'names' in part),
  };
}

/** `[data][severity]` or `data.severity`; null when it is neither. */
export function parseField(text: string): FieldPath | null {
  const names = text.startsWith('[') ? text.slice(1, -1).split('][') : text.split('.');
  const isWhole = !text.startsWith('[') || text.endsWith(']');
  return isWhole && names.every((name) => name !== '' && !/[[\]]/.test(name)) ? { names } : null;
}

/** The value at the path as text; null when it is missing, empty, or no text, number or boolean. */
export function fieldText(event: unknown, { names }: FieldPath): string | null {
  let value = event;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null;
    value = (value as Record<string, unknown>)[name];
  }
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return null;
  return value === '' ? null : String(value);
}

/** The name for an event at `ms` (epoch). `event` is looked at only when the pattern has fields; `missing` replaces absent ones. */
export function indexNameOf(pattern: IndexPattern, ms: number, event: unknown, missing: string): string {
  return pattern.parts
    .map((part) => {
      if (typeof part === 'string') return part;
      return 'date' in part ? dateText(part.date, ms) : sanitized(fieldText(event, part)) || missing;
    })
    .join('');
}

function sanitized(text: string | null): string {
  // Cut before it is lower case for speed, and after because lower case may be longer.
  const clean = (text ?? '').slice(0, maxFieldBytes).toWellFormed().toLowerCase().replace(forbidden, '_');
  let cut = '';
  let bytes = 0;
  for (const character of clean) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxFieldBytes) break;
    cut += character;
  }
  return cut;
}

function dateText(format: string, ms: number): string {
  const date = new Date(ms);
  const [week, weekYear] = isoWeek(date);
  const dayOfYear = Math.round((ms - sameTimeOnFirst(date)) / dayMs);
  const texts: Record<string, string> = {
    YYYY: digits(date.getUTCFullYear(), 4),
    yyyy: digits(date.getUTCFullYear(), 4),
    xxxx: digits(weekYear, 4),
    DDD: digits(dayOfYear + 1, 3),
    MM: digits(date.getUTCMonth() + 1, 2),
    dd: digits(date.getUTCDate(), 2),
    HH: digits(date.getUTCHours(), 2),
    ww: digits(week, 2),
  };
  return format.replace(dateTokens, (token) => texts[token]!);
}

const dayMs = 86_400_000;

function digits(value: number, count: number): string {
  return String(Math.max(0, value)).padStart(count, '0');
}

// At the same hour, so that differences are whole days.
function sameTimeOnFirst(date: Date): number {
  return new Date(date).setUTCFullYear(date.getUTCFullYear(), 0, 1);
}

/** Week and its year: the week with the year's first Thursday is the first (ISO 8601). */
function isoWeek(date: Date): [week: number, year: number] {
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * dayMs);
  const days = Math.round((thursday.getTime() - sameTimeOnFirst(thursday)) / dayMs);
  return [Math.floor(days / 7) + 1, thursday.getUTCFullYear()];
}
