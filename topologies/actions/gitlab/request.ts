// Builds the requests of a GitLab command: a pure function of command, connection and time.
//
// Invariant: an issue or note that we make ends with a mark of the command, by which it is found again.
// Source: docs.gitlab.com/api/issues, docs.gitlab.com/api/notes.
import type { Command } from '@tocsin/schemas/types.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { type CommentRules, changePlanOf, openSteps } from '../../domain/action/ticket/comment.ts';
import { commandMark } from '../../domain/action/ticket/mark.ts';
import { operationOf } from '../../domain/action/ticket/params.ts';
import {
  type Writer,
  writeDescription,
  writeFields,
  writeFingerprint,
  writeLine,
  writeRef,
  writerOf,
  writeSummary,
} from '../../domain/action/ticket/render.ts';
import type { Call, Found, Next, Plan, Step, Ticket } from '../../domain/action/ticket/system.ts';
import { escapeUrl } from '../../domain/templates/escape.ts';
import { readIssue, readNotes, readSearch } from './answers.ts';
import { type GitLabParams, projectPattern, stateEvent } from './params.ts';
import { titleOf, trailerOf, withTrailer } from './text.ts';

/** Characters; GitLab takes a million for texts, which nobody reads. */
const titleMax = 255;
const textMax = 100_000;

export const issuePattern = /^[0-9]{1,18}$/;

interface GitLab {
  readonly command: Command;
  readonly params: GitLabParams;
  readonly writer: Writer;
  /** /api/v4/projects/<id>/issues */
  readonly root: string;
  readonly mark: string;
}

/** Throws TemplateError when a template cannot be rendered. `now` is epoch ms of this attempt. */
export function gitLabPlan(command: Command, params: GitLabParams, now: number): Plan | Failed {
  const writer = writerOf(command, now);
  const project = writeLine(writer, 'project', params.project, 512);
  if (!projectPattern.test(project))
    return failed(
      'template',
      `project: renders to ${JSON.stringify(project.slice(0, 80))}, which is no id or path of a project`,
    );
  const root = `/api/v4/projects/${escapeUrl(project)}/issues`;
  const gitlab: GitLab = { command, params, writer, root, mark: commandMark(command) };
  return operationOf(params) === 'create' ? createPlan(gitlab) : changePlan(gitlab);
}

function createPlan(gitlab: GitLab): Plan | Failed {
  const { command, params, writer, root, mark } = gitlab;
  const fingerprint = writeFingerprint(writer, command, params);
  if (isFailed(fingerprint)) return fingerprint;
  const title = titleOf(writeSummary(writer, command, params, titleMax));
  const description = descriptionOf(gitlab);
  const trailer = trailerOf([mark, ...(fingerprint === null ? [] : [fingerprint])]);
  const labels = labelsOf(gitlab);
  const set = { ...fieldsOf(gitlab), title };
  return {
    operation: 'create',
    create: {
      method: 'POST',
      path: root,
      body: {
        ...set,
        description: withTrailer(description, trailer),
        ...(labels.length === 0 ? {} : { labels: labels.join(',') }),
        ...(params.issue_type === undefined ? {} : { issue_type: params.issue_type }),
      },
      actsAgain: true,
      read: readIssue,
    },
    made: search(gitlab, mark, 'all'),
    open: fingerprint === null ? null : search(gitlab, fingerprint, 'opened'),
    onOpen: openSteps(writer, params, {
      ...commentRules(gitlab),
      description,
      update: () => setFields(gitlab, { ...set, ...addLabels(labels) }, description),
    }),
    warnings: writer.warnings,
  };
}

function changePlan(gitlab: GitLab): Plan | Failed {
  const { command, params, writer } = gitlab;
  const ref = writeRef(writer, { ref: (params.ref ?? '').replace(/^\s*#/, '') }, issuePattern);
  if (isFailed(ref)) return ref;
  const operation = operationOf(params);
  const event =
    params.transition === undefined
      ? undefined
      : stateEvent(writeLine(writer, 'transition', params.transition, 32));
  if (event === null) return failed('template', 'transition: renders to something else than close or reopen');
  const body: Readonly<Record<string, Json>> = {
    ...(operation === 'update' ? { ...fieldsOf(gitlab), ...addLabels(labelsOf(gitlab)) } : {}),
    ...(operation === 'update' && params.summary !== undefined
      ? { title: titleOf(writeSummary(writer, command, params, titleMax)) }
      : {}),
    ...(event === undefined ? {} : { state_event: event }),
  };
  const description =
    operation === 'update' && params.description !== undefined ? descriptionOf(gitlab) : null;
  const steps: Step[] = [];
  if (description !== null || Object.keys(body).length > 0) steps.push(setFields(gitlab, body, description));
  return changePlanOf(writer, params, {
    ref,
    get: { method: 'GET', path: `${gitlab.root}/${ref}`, about: `#${ref}`, read: readIssue },
    steps,
    comment: commentRules(gitlab),
  });
}

const commentRules = (gitlab: GitLab): CommentRules => ({
  escape: 'markdown',
  max: textMax,
  step: (text) => commentOn(gitlab, text),
});

function descriptionOf({ writer, command, params }: GitLab): string {
  return writeDescription(writer, command, params, { escape: 'markdown', style: 'markdown', max: textMax });
}

function fieldsOf({ params, writer }: GitLab): Readonly<Record<string, Json>> {
  return {
    ...writeFields(writer, params),
    ...(params.confidential === undefined ? {} : { confidential: params.confidential }),
    ...(params.assignee_ids === undefined ? {} : { assignee_ids: params.assignee_ids }),
  };
}

/** Labels travel as one text with commas between them, so they have none themselves. */
function labelsOf({ params, writer }: GitLab): string[] {
  const one = (field: string, template: string): string =>
    writeLine(writer, field, template, titleMax).replaceAll(',', ' ').trim();
  const labels = (params.labels ?? []).map((template, index) => one(`labels/${index}`, template));
  if (params.severity !== undefined) {
    const severity = one('severity', params.severity);
    if (severity !== '') labels.push(`severity::${severity.toLowerCase()}`);
  }
  return [...new Set(labels.filter((label) => label !== ''))];
}

const addLabels = (labels: readonly string[]): Readonly<Record<string, Json>> =>
  labels.length === 0 ? {} : { add_labels: labels.join(',') };

function search({ root }: GitLab, mark: string, state: 'all' | 'opened'): Call<Found> {
  return {
    method: 'GET',
    path: `${root}?search=${mark}&in=description&scope=all&state=${state}&per_page=5`,
    read: (body) => readSearch(body, mark),
  };
}

/** A new description keeps the marks of the old one. */
function setFields({ root }: GitLab, body: Readonly<Record<string, Json>>, description: string | null): Step {
  return ({ id, ref, trailer }: Ticket) => ({
    method: 'PUT',
    path: `${root}/${id}`,
    body: {
      ...body,
      ...(description === null ? {} : { description: withTrailer(description, trailer ?? '').trimEnd() }),
    },
    about: `#${ref}`,
    read: () => ({}),
  });
}

function commentOn({ root, params, mark }: GitLab, text: string): Step {
  const body = {
    body: withTrailer(text, trailerOf([mark])),
    ...(params.internal === true ? { internal: true } : {}),
  };
  return ({ id, ref }, again) => {
    const path = `${root}/${id}/notes`;
    const about = `#${ref}`;
    const post: Call<Next> = { method: 'POST', path, body, about, actsAgain: true, read: () => ({}) };
    if (!again) return post;
    return {
      method: 'GET',
      path: `${path}?order_by=created_at&sort=desc&per_page=50`,
      about,
      read: (answer) => readNotes(answer, mark, post),
    };
  };
}
