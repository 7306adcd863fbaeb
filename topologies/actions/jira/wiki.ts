// Wiki markup, the rich text of Jira Data Center. Text is escaped: no macro, mention ([~user]), image or link comes out of a value.
//
// Surprise: a backslash is no escape for itself (two of them break the line), so it becomes an entity.
// Source: the "Text Formatting Notation Help" of Jira.
import { type Block, type Line, parseRichText, type Span } from '../../domain/formats/rich-text.ts';

const zeroWidth = '\u200b';

export function wikiOf(text: string): string {
  return parseRichText(text).map(block).join('\n\n');
}

function block(given: Block): string {
  if (given.kind === 'heading') return `h${given.level}. ${line(given.line)}`;
  if (given.kind === 'list')
    return given.items.map((item) => `${given.ordered ? '#' : '*'} ${line(item)}`).join('\n');
  if (given.kind === 'code')
    return `{noformat}\n${given.text.replace(/\{(?=noformat)/gi, `{${zeroWidth}`)}\n{noformat}`;
  return given.lines.map((each) => startOfLine(line(each))).join('\n');
}

// Headings, quotes and lists begin a line; their marks in a text do not.
function startOfLine(text: string): string {
  return /^(?:h[1-6]|bq)\.|^[-#]+ /.test(text) ? `${zeroWidth}${text}` : text;
}

function line(spans: Line): string {
  return spans.map(span).join('');
}

function span({ text, strong, em, code, href }: Span): string {
  if (href !== undefined) {
    const url = href.replaceAll('!', '%21');
    return text === href ? url : `[${escapeWiki(text)}|${url}]`;
  }
  const plain = escapeWiki(text);
  if (code === true) return `{{${plain}}}`;
  const marks = `${strong === true ? '*' : ''}${em === true ? '_' : ''}`;
  // A mark beside a space marks nothing.
  const [, before = '', words = '', after = ''] = /^(\s*)(.*?)(\s*)$/su.exec(plain) ?? [];
  return words === '' ? plain : `${before}${marks}${words}${[...marks].reverse().join('')}${after}`;
}

export function escapeWiki(text: string): string {
  return text
    .replace(/&(?=#?\w+;)/g, '&amp;')
    .replace(/[{}[\]!|*_^~+?]|(?<![\p{L}\p{N}])-|-(?![\p{L}\p{N}])|\\/gu, (char) =>
      char === '\\' ? '&#92;' : `\\${char}`,
    );
}
