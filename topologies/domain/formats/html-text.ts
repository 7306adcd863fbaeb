// Plain text of an HTML fragment, for the text part of an HTML mail. Linear in its input, whatever the input is.

const breaks: ReadonlySet<string> = new Set([
  'br',
  'p',
  'div',
  'tr',
  'li',
  'ul',
  'ol',
  'table',
  'hr',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
]);
const silent: ReadonlySet<string> = new Set(['script', 'style', 'head', 'title']);
const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
};

/** Tags become nothing or a line break, entities their characters, white space is folded as a browser would. */
export function textOfHtml(html: string): string {
  const parts: string[] = [];
  let hidden: string | null = null;
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    if (hidden === null)
      parts.push(decode(html.slice(at, open === -1 ? html.length : open).replace(/\s+/g, ' ')));
    if (open === -1) break;
    const close = html.startsWith('<!--', open) ? endOf(html, '-->', open + 4) : endOf(html, '>', open + 1);
    if (close === -1) break;
    const name = /^<(\/?)([a-zA-Z][a-zA-Z0-9]*)/.exec(html.slice(open, open + 20));
    at = close;
    if (name === null) continue;
    const [, slash, tag] = name as unknown as [string, string, string];
    const lower = tag.toLowerCase();
    if (hidden !== null) {
      if (slash === '/' && lower === hidden) hidden = null;
    } else if (silent.has(lower) && slash === '') hidden = lower;
    else if (breaks.has(lower)) parts.push('\n');
    else if (lower === 'td' || lower === 'th') parts.push(' ');
  }
  return parts
    .join('')
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** True when a text has at least one thing that looks like an HTML tag. */
export function looksLikeHtml(text: string): boolean {
  return /<\/?[a-z][a-z0-9]*[\s/>]/i.test(text);
}

function endOf(html: string, mark: string, from: number): number {
  const at = html.indexOf(mark, from);
  return at === -1 ? -1 : at + mark.length;
}

function decode(text: string): string {
  return text.replace(/&(#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,6});/gi, (whole, name: string) => {
    if (name.startsWith('#')) {
      const code =
        name[1] === 'x' || name[1] === 'X' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
      return code > 0x1f && code <= 0x10ffff && (code < 0x7f || code > 0x9f)
        ? String.fromCodePoint(code)
        : ' ';
    }
    return entities[name.toLowerCase()] ?? whole;
  });
}
