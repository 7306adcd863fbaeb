// Texts for GitLab, and the marks in them.
//
// Invariant: no text runs a quick action (/close, /assign, ...), whoever wrote it, and no value mentions anybody. A mark stands in a
// line of its own at the end, which no value can write, because values are escaped.
//
// Surprise: quick actions are also run in descriptions and notes that come through the API, and mentions also in titles.
// Source: gitlab-org/gitlab, lib/gitlab/quick_actions/extractor.rb (lines that begin with a slash, after carriage returns went),
// app/models/concerns/pg_full_text_searchable.rb (words of less than 50 characters are found by their beginning).
import { breakMentions } from '../../domain/templates/escape-chat.ts';

const zeroWidth = '\u200b';

export function withoutQuickActions(text: string): string {
  return text.replaceAll('\r', '').replace(/^(?=[^\S\n]*\/)/gm, zeroWidth);
}

/** A title: one line, in which nobody is mentioned. */
export function titleOf(line: string): string {
  return breakMentions(line);
}

/** The marks as a Markdown comment: a link definition that nothing uses. */
export function trailerOf(marks: readonly string[]): string {
  return `[tocsin]: # (${marks.join(' ')})`;
}

export function withTrailer(text: string, trailer: string): string {
  return `${withoutQuickActions(text).trimEnd()}\n\n${trailer}`;
}

/** The trailer of a description or note; null without one. */
export function findTrailer(text: string): string | null {
  return /(?:^|\n)(\[tocsin\]: # \([a-z0-9 ]{1,200}\))\s*$/.exec(text)?.[1] ?? null;
}

export function hasMark(text: string, mark: string): boolean {
  return findTrailer(text)?.slice('[tocsin]: # ('.length, -1).split(' ').includes(mark) ?? false;
}
