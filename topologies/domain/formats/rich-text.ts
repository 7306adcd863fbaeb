// Reads the small Markdown that tickets are written in: paragraphs, headings, lists, fenced code, bold, italic, code and links.
//
// Invariant: what was escaped (escape-chat.ts, escapeMarkdown) is text and nothing else; every address that comes out is http or
// https; the time is linear in the text, but for markup that is opened and never closed, which only the author of a template can write.
//
// Surprise: escapes are also read inside code, unlike in CommonMark, because a token between back quotes is escaped like any other.
import { webUrl } from '../templates/escape-chat.ts';

export interface Span {
  readonly text: string;
  readonly strong?: true;
  readonly em?: true;
  readonly code?: true;
  readonly href?: string;
}

/** A line of a block; lines of one block are shown as lines. */
export type Line = readonly Span[];

export type Block =
  | { readonly kind: 'paragraph'; readonly lines: readonly Line[] }
  | { readonly kind: 'heading'; readonly level: number; readonly line: Line }
  | { readonly kind: 'list'; readonly ordered: boolean; readonly items: readonly Line[] }
  | { readonly kind: 'code'; readonly language: string | null; readonly text: string };

const fence = /^```([A-Za-z0-9+#-]{0,32})\s*$/;
const heading = /^(#{1,6}) +(.+)$/;
const bullet = /^ {0,3}[-*+] +(.+)$/;
const numbered = /^ {0,3}\d{1,9}[.)] +(.+)$/;

export function parseRichText(text: string): Block[] {
  const blocks: Block[] = [];
  const rows = text.replace(/\r\n?/g, '\n').split('\n');
  let paragraph: Line[] = [];
  const flush = (): void => {
    if (paragraph.length > 0) blocks.push({ kind: 'paragraph', lines: paragraph });
    paragraph = [];
  };
  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at] as string;
    const opened = fence.exec(row);
    const titled = heading.exec(row);
    if (opened !== null) {
      flush();
      const end = rows.findIndex((line, index) => index > at && /^```\s*$/.test(line));
      const last = end === -1 ? rows.length : end;
      const code = unescapeText(rows.slice(at + 1, last).join('\n'));
      blocks.push({ kind: 'code', language: opened[1] || null, text: code });
      at = last;
    } else if (titled !== null) {
      flush();
      blocks.push({
        kind: 'heading',
        level: (titled[1] as string).length,
        line: parseLine(titled[2] as string),
      });
    } else if (bullet.test(row) || numbered.test(row)) {
      flush();
      const ordered = !bullet.test(row);
      const item = ordered ? numbered : bullet;
      const items: Line[] = [];
      for (let match = item.exec(rows[at] ?? ''); match !== null; match = item.exec(rows[at] ?? '')) {
        items.push(parseLine(match[1] as string));
        at += 1;
      }
      at -= 1;
      blocks.push({ kind: 'list', ordered, items });
    } else if (row.trim() === '') {
      flush();
    } else {
      paragraph.push(parseLine(row.trim()));
    }
  }
  flush();
  return blocks;
}

const escaped = /\\([!-/:-@[-`{-~])|&(lt|gt|amp);/g;
const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&' };

/** The text that was escaped; mentions are whole again, because nothing that reads this knows them. */
export function unescapeText(text: string): string {
  return text
    .replace(escaped, (_, char: string | undefined, entity: string) => char ?? (entities[entity] as string))
    .replaceAll('@\u200b', '@');
}

type Marks = Omit<Span, 'text'>;

/** The spans of one line. */
export function parseLine(source: string, marks: Marks = {}): Span[] {
  const spans: Span[] = [];
  let plain = '';
  const flush = (): void => {
    if (plain !== '') spans.push({ text: unescapeText(plain), ...marks });
    plain = '';
  };
  let at = 0;
  while (at < source.length) {
    const found = markupAt(source, at, marks);
    if (found === null) {
      const length = source[at] === '\\' && at + 1 < source.length ? 2 : 1;
      plain += source.slice(at, at + length);
      at += length;
    } else {
      flush();
      spans.push(...found.spans);
      at = found.end;
    }
  }
  flush();
  return spans;
}

interface Markup {
  readonly spans: readonly Span[];
  readonly end: number;
}

const link = /\[((?:\\.|[^\]\\]){1,2000})\]\((https?:\/\/[^\s()<>]{1,4096})\)/y;
const address = /https?:\/\/(?:\\[!-/:-@[-`{-~]|[^\s<>"\\`])+/y;

function markupAt(source: string, at: number, marks: Marks): Markup | null {
  const char = source[at];
  if (char === '`') return codeAt(source, at, marks);
  if (char === '[' && marks.href === undefined) {
    link.lastIndex = at;
    const match = link.exec(source);
    const href = webAddress(match?.[2] ?? '');
    if (match === null || href === null) return null;
    return { spans: parseLine(match[1] as string, { ...marks, href }), end: at + match[0].length };
  }
  if (char === 'h' && marks.href === undefined && !/[\p{L}\p{N}]/u.test(source[at - 1] ?? ' ')) {
    address.lastIndex = at;
    const text = (address.exec(source)?.[0] ?? '').replace(/(?:\\?[.,;:!?)\]'*_])+$/, '');
    const href = webAddress(text);
    return href === null ? null : { spans: [{ text: href, ...marks, href }], end: at + text.length };
  }
  if (source.startsWith('**', at)) return wrapped(source, at, '**', marks, 'strong');
  if (char === '*' || char === '_') return wrapped(source, at, char, marks, 'em');
  return null;
}

function codeAt(source: string, at: number, marks: Marks): Markup | null {
  const end = closing(source, at + 1, '`');
  if (end === -1 || end === at + 1) return null;
  const { href } = marks;
  return {
    spans: [
      { text: unescapeText(source.slice(at + 1, end)), code: true, ...(href === undefined ? {} : { href }) },
    ],
    end: end + 1,
  };
}

function wrapped(
  source: string,
  at: number,
  mark: string,
  marks: Marks,
  name: 'strong' | 'em',
): Markup | null {
  const from = at + mark.length;
  const word = /[\p{L}\p{N}]/u;
  if (marks[name] === true || /\s/.test(source[from] ?? ' ')) return null;
  if (mark === '_' && word.test(source[at - 1] ?? '')) return null;
  const end = closing(source, from, mark);
  if (end <= from || /\s/.test(source[end - 1] as string)) return null;
  if (mark === '_' && word.test(source[end + 1] ?? '')) return null;
  return {
    spans: parseLine(source.slice(from, end), { ...marks, [name]: true }),
    end: end + mark.length,
  };
}

// Where the mark closes; an escaped one does not.
function closing(source: string, from: number, mark: string): number {
  for (let at = from; at < source.length; at += 1) {
    if (source[at] === '\\') at += 1;
    else if (source.startsWith(mark, at)) return at;
  }
  return -1;
}

function webAddress(text: string): string | null {
  return webUrl(unescapeText(text));
}
