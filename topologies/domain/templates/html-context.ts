// Refuses HTML templates whose tags stand where escaping cannot keep a value inside: scripts, styles, comments,
// tag and attribute names, and attribute values without quotes (mustache CVE-2015-8862).
import { type Template, TemplateError, type TemplateNode } from './parse.ts';

type Place = 'text' | 'tag' | 'double' | 'single' | 'comment' | 'script' | 'style';

/** Throws TemplateError when a variable stands outside text and quoted attribute values. */
export function checkHtmlPlaces(template: Template): void {
  walk(template.nodes, { place: 'text', pending: '' });
}

interface Cursor {
  place: Place;
  /** The last characters of literal text, enough to recognise an opening across nodes. */
  pending: string;
}

function walk(nodes: readonly TemplateNode[], cursor: Cursor): void {
  for (const node of nodes) {
    if (node.kind === 'text') {
      advance(node.text, cursor);
    } else if (node.kind === 'variable') {
      if (cursor.place !== 'text' && cursor.place !== 'double' && cursor.place !== 'single')
        throw new TemplateError(
          'syntax',
          `has {{${node.name}}} inside ${names[cursor.place]}; put it in text or in a quoted attribute`,
        );
    } else {
      const before = cursor.place;
      walk(node.nodes, cursor);
      // A section may be left out or repeated, so it must end where it began.
      if (cursor.place !== before)
        throw new TemplateError(
          'syntax',
          `has a section {{#${node.name}}} that opens or closes a tag or a quote`,
        );
    }
  }
}

const names: Readonly<Record<Place, string>> = {
  text: 'text',
  double: 'an attribute',
  single: 'an attribute',
  tag: 'a tag or an attribute without quotes',
  comment: 'a comment',
  script: 'a script',
  style: 'a style sheet',
};

function advance(text: string, cursor: Cursor): void {
  for (const char of text) {
    cursor.pending = (cursor.pending + char).slice(-9).toLowerCase();
    const seen = cursor.pending;
    if (cursor.place === 'text') {
      if (char === '<') cursor.place = 'tag';
    } else if (cursor.place === 'tag') {
      cursor.place = insideTag(char, seen);
    } else if (cursor.place === 'double') {
      if (char === '"') cursor.place = 'tag';
    } else if (cursor.place === 'single') {
      if (char === "'") cursor.place = 'tag';
    } else if (cursor.place === 'comment') {
      if (seen.endsWith('-->')) cursor.place = 'text';
    } else if (seen.endsWith(`</${cursor.place}`)) {
      cursor.place = 'tag';
    }
  }
}

// Scripts and styles count from their name on, attributes included: nothing of theirs may be filled in.
function insideTag(char: string, seen: string): Place {
  if (seen.endsWith('<!--')) return 'comment';
  if (seen.endsWith('<script')) return 'script';
  if (seen.endsWith('<style')) return 'style';
  if (char === '"') return 'double';
  if (char === "'") return 'single';
  return char === '>' ? 'text' : 'tag';
}
