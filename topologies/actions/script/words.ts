// A command line as words: the quoting of a shell without anything else of a shell. Nothing is expanded, globbed or run.
//
// Invariant: the words are split before their templates are filled in, so that no value ever becomes two words or a quote.
//
// Surprise: what a shell would act upon, and we would not, is refused where it is not quoted: `a | b` would give a three arguments.
export type Words = { readonly words: readonly string[] } | { readonly problem: string };

const meant = new Set([...'|&;<>()$`\n\r']);

/** The words of `line`; tags `{{...}}` are part of the word that they stand in, spaces and all. */
export function wordsOf(line: string): Words {
  const words: string[] = [];
  let word: string | null = null;
  let quote: '"' | "'" | null = null;
  for (let at = 0; at < line.length; at += 1) {
    const char = line[at] as string;
    if (line.startsWith('{{', at)) {
      const close = line.indexOf('}}', at);
      if (close < 0) return { problem: '{{ is not closed' };
      word = (word ?? '') + line.slice(at, close + 2);
      at = close + 1;
    } else if (quote === "'") {
      if (char === "'") quote = null;
      else word += char;
    } else if (char === '\\' && (quote === null || '"\\$`'.includes(line[at + 1] ?? ' '))) {
      at += 1;
      if (at === line.length) return { problem: 'a backslash at the end escapes nothing' };
      word = (word ?? '') + line[at];
    } else if (quote === '"') {
      if (char === '"') quote = null;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (char === ' ' || char === '\t') {
      if (word !== null) words.push(word);
      word = null;
    } else if (meant.has(char))
      return { problem: `${JSON.stringify(char)} means something to a shell only; quote it, or set shell` };
    else word = (word ?? '') + char;
  }
  if (quote !== null) return { problem: `${quote} is not closed` };
  if (word !== null) words.push(word);
  return words.length === 0 ? { problem: 'is empty' } : { words };
}
