// Reads what GitLab answers: issues, searches, notes and errors. null: not an answer of GitLab.
import { asList, asRecord, asText } from '../../domain/action/ticket/read.ts';
import type { Call, Explained, Found, Next, Ticket } from '../../domain/action/ticket/system.ts';
import { findTrailer, hasMark } from './text.ts';

export function readIssue(body: unknown): Ticket | null {
  const issue = asRecord(body);
  const iid = asText(issue?.['iid']);
  if (issue === null || iid === null || !/^\d{1,18}$/.test(iid)) return null;
  const trailer = findTrailer(asText(issue['description']) ?? '');
  return {
    ref: iid,
    id: iid,
    url: asText(issue['web_url']),
    closed: issue['state'] === 'closed' ? 'closed' : null,
    ...(trailer === null ? {} : { trailer }),
  };
}

/** The issue with `mark` among those that a search found. */
export function readSearch(body: unknown, mark: string): Found | null {
  const issues = asList(body);
  if (issues === null) return null;
  const found = issues.find((issue) => hasMark(asText(asRecord(issue)?.['description']) ?? '', mark));
  if (found === undefined) return { ticket: null };
  const ticket = readIssue(found);
  return ticket === null ? null : { ticket };
}

/** Nothing more to do when a note with `mark` is there, else the request that posts it. */
export function readNotes(body: unknown, mark: string, post: Call<Next>): Next | null {
  const notes = asList(body);
  if (notes === null) return null;
  return notes.some((note) => hasMark(asText(asRecord(note)?.['body']) ?? '', mark))
    ? { note: 'an earlier attempt had added the comment: no second one was added' }
    : { then: post };
}

/** {message: text}, {message: {field: [texts]}}, {error, error_description}. */
export function explainGitLab(body: unknown): Explained | null {
  const error = asRecord(body);
  const message = error?.['message'];
  const fields = Object.entries(asRecord(message) ?? {}).map(
    ([field, texts]) =>
      `${field}: ${(asList(texts) ?? [texts]).flatMap((text) => asText(text) ?? []).join(', ')}`,
  );
  const texts = [asText(message), ...fields, asText(error?.['error']), asText(error?.['error_description'])];
  const text = texts.filter((each) => each !== null && each !== '').join('; ');
  return text === '' ? null : { text };
}
