// Builds the requests of a ServiceNow command: a pure function of command, connection and time.
//
// Invariant: a record that we make carries the command id as correlation_id; encoded queries hold ids and marks only.
// Source: the Table API reference of ServiceNow (docs.servicenow.com, api-reference/c_TableAPI).
import type { Command } from '@tocsin/schemas/types.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { HttpTarget } from '../../domain/action/http-target.ts';
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
import { readCreated, readJournal, readList } from './answers.ts';
import { type ColumnParam, columns, type ServiceNowParams } from './params.ts';

/** Lengths of the columns short_description, description and of one journal entry as ServiceNow ships them. */
const summaryMax = 160;
const descriptionMax = 4_000;
const commentMax = 4_000;

const sysId = /^[0-9a-f]{32}$/;
export const recordPattern = /^(?:[0-9a-f]{32}|[A-Za-z]{2,10}[0-9]{4,15})$/;

interface ServiceNow {
  readonly command: Command;
  readonly params: ServiceNowParams;
  readonly writer: Writer;
  /** /api/now/table/incident */
  readonly root: string;
  /** Query of requests that write. */
  readonly options: string;
  readonly address: string;
}

const read =
  'sysparm_fields=sys_id,number,state,active,correlation_id,correlation_display&sysparm_display_value=all&sysparm_exclude_reference_link=true';

/** Throws TemplateError when a template cannot be rendered. `now` is epoch ms of this attempt. */
export function serviceNowPlan(
  command: Command,
  params: ServiceNowParams,
  target: HttpTarget,
  now: number,
): Plan | Failed {
  const { table = 'incident' } = params;
  const service: ServiceNow = {
    command,
    params,
    writer: writerOf(command, now),
    root: `/api/now/table/${table}`,
    options: `${read}${params.input_display_value === true ? '&sysparm_input_display_value=true' : ''}`,
    address: `${target.origin}${target.basePath}/${table}.do?sys_id=`,
  };
  return operationOf(params) === 'create' ? createPlan(service) : changePlan(service);
}

function createPlan(service: ServiceNow): Plan | Failed {
  const { command, params, writer, root, options, address } = service;
  const fingerprint = writeFingerprint(writer, command, params);
  if (isFailed(fingerprint)) return fingerprint;
  const summary = writeSummary(writer, command, params, summaryMax);
  const description = descriptionOf(service);
  const fields = fieldsOf(service, { short_description: summary, description });
  if (isFailed(fields)) return fields;
  return {
    operation: 'create',
    create: {
      method: 'POST',
      path: `${root}?${options}`,
      body: { ...fields, correlation_id: command.command_id, correlation_display: fingerprint ?? 'tocsin' },
      actsAgain: true,
      read: (body) => readCreated(body, address),
    },
    made: find(service, 'correlation_id', command.command_id),
    open: fingerprint === null ? null : find(service, 'correlation_display', fingerprint, 'active=true^'),
    onOpen: openSteps(writer, params, {
      ...commentRules(service),
      description,
      update: () => setFields(service, fields),
    }),
    warnings: writer.warnings,
  };
}

function changePlan(service: ServiceNow): Plan | Failed {
  const { command, params, writer } = service;
  const given = writeRef(writer, params, recordPattern);
  if (isFailed(given)) return given;
  const ref = sysId.test(given) ? given : given.toUpperCase();
  const operation = operationOf(params);
  const state =
    params.transition === undefined ? null : writeLine(writer, 'transition', params.transition, 100);
  if (state === '') return failed('template', 'transition: renders to nothing');
  const fields = fieldsOf(service, {
    ...(operation !== 'update' || params.summary === undefined
      ? {}
      : { short_description: writeSummary(writer, command, params, summaryMax) }),
    ...(operation !== 'update' || params.description === undefined
      ? {}
      : { description: descriptionOf(service) }),
    ...(state === null ? {} : { state }),
  });
  if (isFailed(fields)) return fields;
  const steps: Step[] = Object.keys(fields).length === 0 ? [] : [setFields(service, fields)];
  return changePlanOf(writer, params, {
    ref,
    get: getRecord(service, ref),
    steps,
    comment: commentRules(service),
  });
}

const commentRules = (service: ServiceNow): CommentRules => ({
  escape: 'text',
  max: commentMax,
  step: (text) => commentOn(service, text),
});

function descriptionOf({ writer, command, params }: ServiceNow): string {
  return writeDescription(writer, command, params, { escape: 'text', style: 'plain', max: descriptionMax });
}

function fieldsOf(
  { params, writer }: ServiceNow,
  own: Readonly<Record<string, Json>>,
): Readonly<Record<string, Json>> | Failed {
  const fields: Record<string, Json> = { ...writeFields(writer, params), ...own };
  for (const name of Object.keys(columns) as ColumnParam[]) {
    const template = params[name];
    if (template === undefined) continue;
    const value = writeLine(writer, name, template, 100);
    if (value === '') return failed('template', `${name}: renders to nothing`);
    fields[columns[name]] = value;
  }
  return fields;
}

function find({ root, address }: ServiceNow, field: string, value: string, and = ''): Call<Found> {
  return {
    method: 'GET',
    path: `${root}?sysparm_query=${escapeUrl(`${and}${field}=${value}`)}&sysparm_limit=1&${read}`,
    read: (body) => readList(body, address, { field, value }),
  };
}

function getRecord(service: ServiceNow, ref: string): Call<Ticket> {
  const call = find(service, sysId.test(ref) ? 'sys_id' : 'number', ref);
  return {
    ...call,
    about: ref,
    read: (body, status) => {
      const found = call.read(body, status);
      if (found === null || isFailed(found)) return found;
      return (
        found.ticket ?? failed('not_found', `${ref} does not exist any more, or this account cannot see it`)
      );
    },
  };
}

function setFields({ root, options }: ServiceNow, body: Readonly<Record<string, Json>>): Step {
  return ({ id, ref }) => ({
    method: 'PATCH',
    path: `${root}/${id}?${options}`,
    body,
    about: ref,
    read: () => ({}),
  });
}

/** A journal entry carries the command as its last line, because it has no other field. */
function commentOn({ root, options, command, params }: ServiceNow, text: string): Step {
  const field = params.comment_field ?? 'work_notes';
  const mark = commandMark(command);
  const entry = `${withoutCodeTags(text)}\n\n[${mark}]`;
  return ({ id, ref }, again) => {
    const post: Call<Next> = {
      method: 'PATCH',
      path: `${root}/${id}?${options}`,
      body: { [field]: entry },
      about: ref,
      actsAgain: true,
      read: () => ({}),
    };
    if (!again) return post;
    return {
      method: 'GET',
      path: `${root}/${id}?sysparm_fields=${field}&sysparm_display_value=true`,
      about: ref,
      read: (body) => {
        const journal = readJournal(body, field);
        if (journal === null) return null;
        return journal.includes(`[${mark}]`)
          ? { note: 'an earlier attempt had added the comment: no second one was added' }
          : { then: post };
      },
    };
  };
}

/** [code] turns the rest of a journal entry into HTML; here it stays text. */
export function withoutCodeTags(text: string): string {
  return text.replace(/\[(?=\/?code\])/gi, '[\u200b');
}
