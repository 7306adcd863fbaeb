// Builds the requests of a Jira command: a pure function of command, connection and time.
//
// Invariant: an issue that we make carries the command as a label, by which it is found again.
// Sources: developer.atlassian.com/cloud/jira/platform/rest/v3 (issues, issue search, comments), docs.atlassian.com Jira 9 REST v2.
import type { Command } from '@tocsin/schemas/types.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { HttpTarget } from '../../domain/action/http-target.ts';
import type { Failed, Json } from '../../domain/action/outcome.ts';
import { type CommentRules, changePlanOf, openSteps } from '../../domain/action/ticket/comment.ts';
import { commandMark } from '../../domain/action/ticket/mark.ts';
import { operationOf } from '../../domain/action/ticket/params.ts';
import {
  writeDescription,
  writeFields,
  writeFingerprint,
  writeLine,
  writeRef,
  writerOf,
  writeSummary,
} from '../../domain/action/ticket/render.ts';
import type { Plan, Step } from '../../domain/action/ticket/system.ts';
import { readCreated } from './answers.ts';
import { commentOn, getIssue, type Jira, richText, search, setFields, textMax } from './calls.ts';
import { type JiraParams, projectPattern } from './params.ts';
import { moveIssue } from './transition.ts';

/** Characters of a summary or label. */
const lineMax = 255;

export const issuePattern = /^(?:[A-Za-z][A-Za-z0-9_]{1,254}-[0-9]{1,12}|[0-9]{1,18})$/;

/** Throws TemplateError when a template cannot be rendered. `now` is epoch ms of this attempt. */
export function jiraPlan(
  command: Command,
  params: JiraParams,
  target: HttpTarget,
  now: number,
): Plan | Failed {
  const jira = jiraOf(command, params, target, now);
  return operationOf(params) === 'create' ? createPlan(jira) : changePlan(jira);
}

export function jiraOf(command: Command, params: JiraParams, target: HttpTarget, now: number): Jira {
  const { hostname } = new URL(target.origin);
  const cloud = params.api === undefined ? /(?:^|\.)atlassian\.net$/.test(hostname) : params.api === 'cloud';
  return {
    cloud,
    root: cloud ? '/rest/api/3' : '/rest/api/2',
    browse: `${target.origin}${target.basePath}/browse/`,
    command,
    params,
    writer: writerOf(command, now),
  };
}

function createPlan(jira: Jira): Plan | Failed {
  const { command, params, writer } = jira;
  const project = writeLine(writer, 'project', params.project ?? '', lineMax);
  if (!projectPattern.test(project))
    return failed(
      'template',
      `project: renders to ${JSON.stringify(project.slice(0, 80))}, which is no key or id of a project`,
    );
  const fingerprint = writeFingerprint(writer, command, params);
  if (isFailed(fingerprint)) return fingerprint;
  const description = writeDescription(writer, command, params, {
    escape: 'markdown',
    style: 'markdown',
    max: textMax,
  });
  const content = fieldsOf(jira, writeSummary(writer, command, params, lineMax), description);
  if (isFailed(content)) return content;
  const marks = [commandMark(command), ...(fingerprint === null ? [] : [fingerprint])];
  const type =
    params.issue_type === undefined ? 'Task' : writeLine(writer, 'issue_type', params.issue_type, lineMax);
  return {
    operation: 'create',
    create: {
      method: 'POST',
      path: `${jira.root}/issue`,
      body: {
        fields: {
          project: /^\d+$/.test(project) ? { id: project } : { key: project },
          issuetype: named(type),
          ...content.fields,
          labels: [...labelsOf(jira), ...marks],
        },
      },
      actsAgain: true,
      read: (body) => readCreated(body, jira.browse),
    },
    made: search(jira, `labels = "${marks[0]}"`),
    open:
      fingerprint === null
        ? null
        : search(jira, `project = "${project}" AND labels = "${fingerprint}" AND statusCategory != Done`),
    onOpen: openSteps(writer, params, {
      ...commentRules(jira),
      description,
      update: () => setFields(jira, { ...content, ...addLabels(jira) }),
    }),
    warnings: writer.warnings,
  };
}

function changePlan(jira: Jira): Plan | Failed {
  const { command, params, writer } = jira;
  const ref = writeRef(writer, params, issuePattern);
  if (isFailed(ref)) return ref;
  const operation = operationOf(params);
  const steps: Step[] = [];
  if (operation === 'update') {
    const summary = params.summary === undefined ? null : writeSummary(writer, command, params, lineMax);
    const description =
      params.description === undefined
        ? null
        : writeDescription(writer, command, params, { escape: 'markdown', style: 'markdown', max: textMax });
    const content = fieldsOf(jira, summary, description);
    if (isFailed(content)) return content;
    const body = { ...content, ...addLabels(jira) };
    if (Object.keys(content.fields).length > 0 || 'update' in body) steps.push(setFields(jira, body));
  }
  if (params.transition !== undefined) {
    const wanted = writeLine(writer, 'transition', params.transition, lineMax);
    if (wanted === '') return failed('template', 'transition: renders to nothing');
    steps.push(moveIssue(jira, wanted));
  }
  return changePlanOf(writer, params, {
    ref,
    get: getIssue(jira, ref),
    steps,
    comment: commentRules(jira),
  });
}

const commentRules = (jira: Jira): CommentRules => ({
  escape: 'markdown',
  max: textMax,
  step: (text) => commentOn(jira, text),
});

/** `fields` of an issue that both create and update have; null: not set. */
function fieldsOf(
  jira: Jira,
  summary: string | null,
  description: string | null,
): { readonly fields: Readonly<Record<string, Json>> } | Failed {
  const { params, writer, cloud } = jira;
  const one = (field: 'priority' | 'assignee'): string | null | Failed => {
    const template = params[field];
    if (template === undefined) return null;
    const value = writeLine(writer, field, template, lineMax);
    return value === '' ? failed('template', `${field}: renders to nothing`) : value;
  };
  const priority = one('priority');
  if (isFailed(priority)) return priority;
  const assignee = one('assignee');
  if (isFailed(assignee)) return assignee;
  return {
    fields: {
      ...writeFields(writer, params),
      ...(summary === null ? {} : { summary }),
      ...(description === null ? {} : { description: richText(jira, 'description', description) }),
      ...(priority === null ? {} : { priority: named(priority) }),
      ...(assignee === null ? {} : { assignee: cloud ? { accountId: assignee } : { name: assignee } }),
    },
  };
}

const named = (value: string): Json => (/^\d+$/.test(value) ? { id: value } : { name: value });

/** Labels as Jira takes them: without white space. */
function labelsOf({ params, writer }: Jira): string[] {
  const labels = (params.labels ?? []).map((template, index) =>
    writeLine(writer, `labels/${index}`, template, lineMax).replace(/\s+/gu, '-'),
  );
  return [...new Set(labels.filter((label) => label !== ''))];
}

function addLabels(jira: Jira): { readonly update?: Json } {
  const labels = labelsOf(jira);
  return labels.length === 0 ? {} : { update: { labels: labels.map((add) => ({ add })) } };
}
