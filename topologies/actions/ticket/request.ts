// Builds the requests of a generic ticket command out of the templates that its author wrote: a pure function of command and time.
//
// Invariant: every request that has an effect carries the command id as Idempotency-Key. A ticket without a reference is a failure.
import type { Command } from '@tocsin/schemas/types.ts';
import { failed, isFailed } from '../../domain/action/fail.ts';
import type { Failed } from '../../domain/action/outcome.ts';
import { renderPath, renderQuery } from '../../domain/action/path-template.ts';
import { commandMark } from '../../domain/action/ticket/mark.ts';
import { operationOf } from '../../domain/action/ticket/params.ts';
import { asRecord, asText, atPointer } from '../../domain/action/ticket/read.ts';
import {
  plainLeaves,
  type Writer,
  writeFingerprint,
  writeRef,
  writerOf,
} from '../../domain/action/ticket/render.ts';
import type { Call, Explained, Found, Next, Plan, Step, Ticket } from '../../domain/action/ticket/system.ts';
import { renderJson } from '../../domain/templates/json-template.ts';
import { warningsOf } from '../../domain/templates/render.ts';
import type { GenericParams, TicketRequest } from './params.ts';

/** One line of ordinary characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
export const refPattern = /^[^\u0000-\u001f\u007f]{1,256}$/;

type Requests = (
  name: 'create' | 'update' | 'transition' | 'comment' | 'find' | 'find_open',
  locals?: Readonly<Record<string, string>>,
) => Bare | Failed | null;

type Bare = Omit<Call<unknown>, 'read'>;

/** Throws TemplateError when a template cannot be rendered. `now` is epoch ms of this attempt. */
export function ticketPlan(command: Command, params: GenericParams, now: number): Plan | Failed {
  const operation = operationOf({ operation: params.operation ?? 'create' });
  const mark = commandMark(command);
  const writer = writerOf(command, now, { mark });
  const keyed = params.dedupe === undefined ? {} : { dedupe: params.dedupe };
  const fingerprint = writeFingerprint(writer, command, keyed);
  if (isFailed(fingerprint)) return fingerprint;
  const known = { mark, ...(fingerprint === null ? {} : { fingerprint }) };
  const requests: Requests = (name, locals = {}) => {
    const request = params[name];
    if (request === undefined) return null;
    const { views } = writerOf(command, now, { ...known, ...locals });
    return bareCall(request, name, { views, warnings: writer.warnings }, command);
  };
  if (operation === 'create') return createPlan(command, params, requests, writer, fingerprint);
  const ref = writeRef(writer, { ref: params.ref ?? '' }, refPattern);
  if (isFailed(ref)) return ref;
  return {
    operation,
    ref,
    get: null,
    failsWhenClosed: false,
    steps: [stepOf(requests, operation, params, command)],
    warnings: writer.warnings,
  };
}

function createPlan(
  command: Command,
  params: GenericParams,
  requests: Requests,
  writer: Writer,
  fingerprint: string | null,
): Plan | Failed {
  const create = requests('create');
  if (create === null) return failed('invalid_params', '/create: is required for create');
  if (isFailed(create)) return create;
  const made = finding(requests, 'find', params.find?.found);
  if (isFailed(made)) return made;
  const open = fingerprint === null ? null : finding(requests, 'find_open', params.find_open?.found);
  if (isFailed(open)) return open;
  const onFound = params.dedupe?.on_found ?? 'comment';
  return {
    operation: 'create',
    create: {
      ...create,
      actsAgain: true,
      read: (body) => ticketAt(body, params.create?.ref ?? '', params.create?.url),
    },
    made,
    blind: command.on_uncertain === 'retry',
    open,
    onOpen: fingerprint === null || onFound === 'nothing' ? [] : [stepOf(requests, onFound, params, command)],
    warnings: writer.warnings,
  };
}

function bareCall(request: TicketRequest, name: string, writer: Writer, command: Command): Bare | Failed {
  const path = renderPath(request.path, writer.views);
  if (isFailed(path)) return { ...path, detail: `${name}/${path.detail}` };
  const query = renderQuery(request.params ?? [], writer.views);
  writer.warnings.push(...query.warnings.map((warning) => `${name}/${warning}`));
  const method = request.method ?? (name.startsWith('find') ? 'GET' : name === 'update' ? 'PUT' : 'POST');
  const bare = {
    method,
    path: `${path}${query.text}`,
    ...(request.ok === undefined ? {} : { ok: request.ok }),
  };
  if (name.startsWith('find')) return { ...bare, asks: true, ...bodyOf(request, name, writer) };
  return { ...bare, headers: [['idempotency-key', command.command_id]], ...bodyOf(request, name, writer) };
}

function bodyOf(request: TicketRequest, name: string, writer: Writer): Pick<Bare, 'body'> {
  if (request.body === undefined) return {};
  const rendered = renderJson(request.body, writer.views);
  writer.warnings.push(...warningsOf(`${name}/body`, rendered));
  return { body: plainLeaves(request.body, rendered.value) };
}

function finding(requests: Requests, name: 'find' | 'find_open', found = ''): Call<Found> | Failed | null {
  const bare = requests(name);
  if (bare === null || isFailed(bare)) return bare;
  return {
    ...bare,
    read: (body) => {
      if (body === undefined) return null;
      const at = atPointer(body, found);
      if (at === undefined || at === null || at === '') return { ticket: null };
      const ticket = ticketAt(body, found);
      return ticket === null ? null : { ticket };
    },
  };
}

/** What is set is set again by a repeat; a comment that may be there is not added without a decision. */
function stepOf(
  requests: Requests,
  name: 'update' | 'transition' | 'comment',
  params: GenericParams,
  command: Command,
): Step {
  return ({ ref }, again): Call<Next> | Failed => {
    if (again && name === 'comment' && command.on_uncertain !== 'retry')
      return failed(
        'uncertain',
        `an earlier attempt may have added the comment to ${ref}, and there is no request to find it`,
      );
    const bare = requests(name, { ref });
    if (bare === null) return failed('invalid_params', `/${name}: is required`);
    if (isFailed(bare)) return bare;
    const deleted = params[name]?.ok?.includes(404) !== true;
    return {
      ...bare,
      ...(name === 'comment' ? { actsAgain: true } : {}),
      ...(deleted ? { about: ref } : {}),
      read: () => ({}),
    };
  };
}

function ticketAt(body: unknown, pointer: string, urlPointer?: string): Ticket | null {
  const ref = asText(atPointer(body, pointer));
  if (ref === null || !refPattern.test(ref)) return null;
  const url = urlPointer === undefined ? null : asText(atPointer(body, urlPointer));
  return {
    ref,
    id: ref,
    url: url !== null && /^https?:\/\/\S{1,2000}$/.test(url) ? url : null,
    closed: null,
  };
}

/** The words that most APIs use for errors. */
export function explainTicket(body: unknown): Explained | null {
  const error = asRecord(body);
  for (const found of [
    error?.['message'],
    error?.['error'],
    error?.['detail'],
    asRecord(error?.['error'])?.['message'],
  ]) {
    const text = asText(found);
    if (text !== null && text !== '') return { text };
  }
  return null;
}
