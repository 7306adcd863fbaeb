// Escapes of values in chat messages: Slack's mrkdwn, and the Markdown of Mattermost and Adaptive Cards.
//
// Invariant: no value mentions anybody, hides its direction, closes a code span or becomes a link under another name.
// Surprise: neither dialect can escape everything. Slack has entities for & < > only, so back quotes become a look-alike;
// a value that is one web address stays an address in both, with the characters encoded that would end a link early.
// Sources: docs.slack.dev/messaging/formatting-message-text; CommonMark 0.31 sections 2.4 and 2.5.
import { escapeText } from './escape.ts';

const bidi = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const zeroWidth = '\u200b';
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Text without control characters and without marks that turn the direction of what follows. */
export function plainChat(text: string): string {
  return escapeText(text).replace(bidi, '');
}

/** `@name` no longer calls anybody; the @ of a mail address stays as it is. */
export function breakMentions(text: string): string {
  return text.replace(/(?<![\p{L}\p{N}._%+-])@(?=[\p{L}\p{N}])/gu, `@${zeroWidth}`);
}

/** The address when the text is exactly one http or https URL, with characters encoded that end links; else null. */
export function webUrl(text: string): string | null {
  if (!/^https?:\/\/[^\s<>"\\^`{}]{1,4096}$/i.test(text) || !URL.canParse(text)) return null;
  const kept = text.replace(/[()[\]|@*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  // A user name before the host, or an IPv6 host, does not survive that: no address then.
  return URL.canParse(kept) ? kept : null;
}

/**
 * A value in mrkdwn. `opensAngle`: the character before it is `<`, where Slack reads !, @ and # as calls to people and
 * channels; there only an address means anything.
 */
export function escapeMrkdwn(text: string, opensAngle = false): string {
  const plain = plainChat(text);
  const url = webUrl(plain);
  const escaped = entitiesOf(url ?? breakMentions(plain.replaceAll('`', 'ˋ')));
  return opensAngle && url === null ? zeroWidth + escaped : escaped;
}

/** A value in Markdown: formatting, links, headings, lists, HTML and hashtags of the value are text. */
export function escapeMarkdown(text: string): string {
  const plain = plainChat(text);
  const url = webUrl(plain);
  if (url !== null) return entitiesOf(url);
  return (
    entitiesOf(breakMentions(plain))
      .replace(/[\\`*_[\]~|#]/g, '\\$&')
      .replace(/^[ \t]+/gm, ' ')
      // Only where a list, a line or a heading would begin: numbers keep their sign and point.
      .replace(/^( ?)([-+=])(?=[-+=\s]|$)/gm, '$1\\$2')
      .replace(/^( ?\d{1,9})([.)])(?=\s|$)/gm, '$1\\$2')
  );
}

/** The inside of a fenced code block: nothing in it ends the block or reads as one of Slack's calls. */
export function fencedText(text: string): string {
  return breakMentions(plainChat(text).replaceAll('`', 'ˋ')).replace(/<(?=[!@#])/g, `<${zeroWidth}`);
}

export function entitiesOf(text: string): string {
  return text.replace(/[&<>]/g, (char) => entities[char] as string);
}

/** At most `max` UTF-16 units, the last one `…` when something was cut; never half an entity, escape or surrogate pair. */
export function cutText(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text
    .slice(0, max - 1)
    .replace(/&[a-z]{0,3}$/, '')
    .replace(/(?<!\\)((?:\\\\)*)\\$/, '$1')
    .toWellFormed()
    .replace(/\ufffd$/, '')}…`;
}
