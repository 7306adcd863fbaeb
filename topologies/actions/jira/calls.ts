// Single requests of Jira, and the steps that a command makes of them.
//
// Invariant: queries hold marks and project keys only. A comment carries its command as a property, because it has no label.
import type { Command } from '@tocsin/schemas/types.ts';
import type { Json } from '../../domain/action/outcome.ts';
import { cut, type Writer } from '../../domain/action/ticket/render.ts';
import type { Call, Found, Step, Ticket } from '../../domain/action/ticket/system.ts';
import { escapeUrl } from '../../domain/templates/escape.ts';
import { adfOf } from './adf.ts';
import { readComments, readIssue, readNothing, readSearch } from './answers.ts';
import type { JiraParams } from './params.ts';
import { wikiOf } from './wiki.ts';

/** Characters of a description or comment. */
export const textMax = 32_767;

export interface Jira {
  readonly cloud: boolean;
  /** /rest/api/3 or /rest/api/2. */
  readonly root: string;
  /** Where people read an issue, without its key. */
  readonly browse: string;
  readonly command: Command;
  readonly params: JiraParams;
  readonly writer: Writer;
}

/** A text as the API takes it; escapes of the wiki make it longer, so it is cut again. */
export function richText({ cloud, writer }: Jira, field: string, text: string): Json {
  if (cloud) return adfOf(text);
  let kept = text;
  let wiki = wikiOf(kept);
  while (wiki.length > textMax) {
    kept = cut(writer, field, kept, Math.floor((kept.length * textMax) / wiki.length) - 1);
    wiki = wikiOf(kept);
  }
  return wiki;
}

export function search({ cloud, root, browse }: Jira, jql: string): Call<Found> {
  const query = `jql=${escapeUrl(jql)}&fields=status&maxResults=1`;
  return {
    method: 'GET',
    path: `${root}/search${cloud ? '/jql' : ''}?${query}`,
    read: (body) => readSearch(body, browse),
  };
}

export function getIssue({ root, browse }: Jira, ref: string): Call<Ticket> {
  return {
    method: 'GET',
    path: `${root}/issue/${ref}?fields=status`,
    about: ref,
    read: (body) => readIssue(body, browse),
  };
}

export function setFields({ root }: Jira, body: Json): Step {
  return ({ id, ref }) => ({
    method: 'PUT',
    path: `${root}/issue/${id}`,
    body,
    about: ref,
    read: readNothing,
  });
}

/** Adds a comment, which a repeat looks for first. */
export function commentOn(jira: Jira, text: string): Step {
  const { root, command } = jira;
  const mark = { key: 'tocsin', value: { command_id: command.command_id } };
  const body = { body: richText(jira, 'comment', text), properties: [mark] };
  return ({ id, ref }, again) => {
    const path = `${root}/issue/${id}/comment`;
    const post: Call<object> = { method: 'POST', path, body, about: ref, actsAgain: true, read: readNothing };
    if (!again) return post;
    return {
      method: 'GET',
      path: `${path}?orderBy=-created&maxResults=50&expand=properties`,
      about: ref,
      read: (answer) => readComments(answer, command.command_id, post),
    };
  };
}
