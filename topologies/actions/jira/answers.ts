// Reads what Jira answers: issues, searches, comments, transitions and errors. null: not an answer of Jira.

import { asList, asRecord, asText } from '../../domain/action/ticket/read.ts';
import type { Call, Explained, Found, Next, Ticket } from '../../domain/action/ticket/system.ts';

/** 201 of a new issue: {id, key, self}. */
export function readCreated(body: unknown, browse: string): Ticket | null {
  const issue = asRecord(body);
  const key = asText(issue?.['key']);
  const id = asText(issue?.['id']);
  if (key === null || id === null || !/^[A-Z][A-Z0-9_]*-\d+$/i.test(key) || !/^\d+$/.test(id)) return null;
  return { ref: key, id, url: `${browse}${key}`, closed: null };
}

/** An issue with its field status. */
export function readIssue(body: unknown, browse: string): Ticket | null {
  const created = readCreated(body, browse);
  const status = readStatus(body);
  if (created === null || status === null) return null;
  const category = asRecord(asRecord(statusOf(body))?.['statusCategory']);
  // Keys of categories are the same in every language: new, indeterminate, done.
  return { ...created, closed: asText(category?.['key']) === 'done' ? status : null };
}

const statusOf = (body: unknown): unknown => asRecord(asRecord(body)?.['fields'])?.['status'];

export function readStatus(body: unknown): string | null {
  return asText(asRecord(statusOf(body))?.['name']);
}

/** The first issue that a search found. */
export function readSearch(body: unknown, browse: string): Found | null {
  const issues = asList(asRecord(body)?.['issues']);
  if (issues === null) return null;
  if (issues.length === 0) return { ticket: null };
  const ticket = readIssue(issues[0], browse);
  return ticket === null ? null : { ticket };
}

export interface Transition {
  readonly id: string;
  readonly name: string;
  /** Name of the status that it leads to. */
  readonly to: string;
}

export function readTransitions(body: unknown): Transition[] | null {
  const offered = asList(asRecord(body)?.['transitions']);
  return (
    offered?.flatMap((each) => {
      const transition = asRecord(each);
      const id = asText(transition?.['id']);
      const name = asText(transition?.['name']);
      const to = asText(asRecord(transition?.['to'])?.['name']) ?? '';
      return id === null || name === null ? [] : [{ id, name, to }];
    }) ?? null
  );
}

/** Nothing more to do when a comment of this command is there, else the request that posts it. */
export function readComments(body: unknown, commandId: string, post: Call<Next>): Next | null {
  const comments = asList(asRecord(body)?.['comments']);
  if (comments === null) return null;
  const there = comments.some((comment) =>
    (asList(asRecord(comment)?.['properties']) ?? []).some((each) => {
      const property = asRecord(each);
      return property?.['key'] === 'tocsin' && asRecord(property['value'])?.['command_id'] === commandId;
    }),
  );
  return there
    ? { note: 'an earlier attempt had added the comment: no second one was added' }
    : { then: post };
}

export const readNothing = (): object => ({});

/** {errorMessages: [...], errors: {field: message}}, by field. */
export function explainJira(body: unknown): Explained | null {
  const error = asRecord(body);
  const messages = (asList(error?.['errorMessages']) ?? []).flatMap((message) => asText(message) ?? []);
  const fields = Object.entries(asRecord(error?.['errors']) ?? {}).flatMap(([field, message]) => {
    const text = asText(message);
    return text === null ? [] : [`${field}: ${text}`];
  });
  const texts = [...messages, ...fields].filter((text) => text !== '');
  return texts.length === 0 ? null : { text: texts.join('; ') };
}
