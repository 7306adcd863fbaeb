// The functions of an action that asks another system for something: records in its topic, or one call of its API.
//
// Invariant: a command behind too many actions asks for nothing; all records of a command go out together, and again as they were.
//
// Surprise: an API takes one thing at a time, so that a command over several fails instead of being done by halves.
import { parseJson } from '@tocsin/schemas/codecs/json.ts';
import type { Command } from '@tocsin/schemas/types.ts';
import type { HttpRequest, HttpResponse } from '../../../ports/http.ts';
import { LogError } from '../../../ports/log.ts';
import type { KeyedRecord, RecordsPort } from '../../../ports/records.ts';
import type { Topic } from '../../../topics.ts';
import { renderJson } from '../../templates/json-template.ts';
import { warningsOf } from '../../templates/render.ts';
import { viewsOf } from '../../templates/view.ts';
import type { Action, PreviewContext } from '../define-action.ts';
import { exchange, postRequest, withWarnings } from '../exchange.ts';
import { failed, isFailed, withTemplates } from '../fail.ts';
import { maxHops } from '../hops.ts';
import { type HttpTarget, httpTarget } from '../http-target.ts';
import { judgeHttp, notTheirs } from '../judge-http.ts';
import type { Failed, Json, Outcome } from '../outcome.ts';
import { renderPath } from '../path-template.ts';
import { shownItems, shownRequest, shownText } from '../preview.ts';
import { atPointer } from '../ticket/read.ts';
import { idText } from './assets.ts';
import { type AskParams, checkAskConnection, isHttp } from './params.ts';

/** UTF-8 bytes of one record or body. */
const maxBytes = 512 * 1024;

/** One thing that is asked for. */
export interface Asked {
  /** Key of the record: the asset or the job. */
  readonly key: string;
  readonly record: object;
}

export interface AskedFor {
  readonly asked: readonly Asked[];
  /** Facts for history and later steps, besides those of the answer. */
  readonly output: { readonly [key: string]: Json };
  readonly warnings: readonly string[];
}

export interface AskRules {
  readonly topic: Topic;
  /** The system in messages: the scanner. */
  readonly whose: string;
  /** Throws TemplateError. `now`: epoch ms of the attempt. */
  readonly ask: (command: Command, now: number) => AskedFor | Failed;
  readonly api: {
    readonly method: (params: AskParams) => 'POST' | 'PUT' | 'PATCH';
    readonly path: string;
    /** The body when none is configured. */
    readonly body: (record: object) => Json;
    /** Where the answer has its id and what that is called in the output; null: the status says all. */
    readonly id: { readonly name: string; readonly at: (params: AskParams) => readonly string[] } | null;
  };
}

type Plan = AskedFor &
  (
    | { readonly records: readonly KeyedRecord[] }
    | { readonly records: null; readonly request: HttpRequest; readonly target: HttpTarget }
  );

export function askAction(
  rules: AskRules,
): Pick<Action, 'preview' | 'execute' | 'needsConnection' | 'checkConnection'> {
  return {
    needsConnection: (params) => isHttp(params),
    checkConnection: (params, connection) => checkAskConnection(params, connection),
    preview(command, context) {
      const plan = planOf(rules, command, context);
      if (isFailed(plan)) return plan;
      const output: Json =
        plan.records === null
          ? shownRequest(plan.request, plan.target)
          : {
              topic: rules.topic.name,
              records: plan.records
                .slice(0, shownItems)
                .map(({ key, value }) => ({ key, value: shownText(value) })),
              total: plan.records.length,
            };
      return withWarnings({ status: 'done', output }, plan.warnings);
    },
    async execute(command, context) {
      const plan = planOf(rules, command, context);
      if (isFailed(plan)) return plan;
      const { http, records } = context.ports;
      if (plan.records !== null) {
        if (records === undefined) throw new TypeError(`${command.type} needs the records port`);
        return withWarnings(await append(rules, plan, records), plan.warnings);
      }
      if (http === undefined) throw new TypeError(`${command.type} needs the http port`);
      const outcome = await exchange<Outcome>(http, plan.request, context, (response) =>
        judge(rules, command.params, plan, response, context.now),
      );
      return withWarnings(outcome, plan.warnings);
    },
  };
}

function planOf(rules: AskRules, command: Command, { connection, now }: PreviewContext): Plan | Failed {
  const params = command.params as AskParams;
  const limit = params.max_hops ?? maxHops;
  if (command.hops > limit)
    return failed(
      'loop_detected',
      `${command.hops} actions lie behind this command, itself included; at most ${limit} may`,
    );
  return withTemplates<Plan>(() => {
    const target = isHttp(params) ? httpTarget(connection) : null;
    if (target !== null && isFailed(target)) return target;
    const plan = rules.ask(command, now);
    if (isFailed(plan)) return plan;
    if (target !== null) return httpPlan(rules, command, plan, target, now);
    const records = plan.asked.map(({ key, record }) => ({
      topic: rules.topic.name,
      key,
      value: JSON.stringify(record),
    }));
    const large = records.find(({ value }) => Buffer.byteLength(value) > maxBytes);
    return large === undefined ? { ...plan, records } : tooLarge(`the record for ${large.key}`);
  });
}

function httpPlan(
  { api, whose }: AskRules,
  command: Command,
  plan: AskedFor,
  target: HttpTarget,
  now: number,
): Plan | Failed {
  const [one, ...more] = plan.asked as [Asked, ...Asked[]];
  if (more.length > 0)
    return failed(
      'invalid_params',
      `via http asks ${whose} for one at a time and the command names ${more.length + 1}; use mode each, or a loop of the playbook`,
    );
  const params = command.params as AskParams;
  const views = viewsOf(command, { now, locals: { request: one.record } });
  const path = renderPath(params.path ?? api.path, views);
  if (typeof path !== 'string') return path;
  const body =
    params.body === undefined
      ? { value: api.body(one.record), missing: [], warnings: [] }
      : renderJson(params.body, views);
  const request: HttpRequest = {
    ...postRequest(target, {
      path,
      headers: [['idempotency-key', command.command_id]],
      body: body.value,
      warnings: [],
    }),
    method: api.method(params),
  };
  if (Buffer.byteLength(request.body ?? '') > maxBytes) return tooLarge('the body');
  const warnings = [...plan.warnings, ...warningsOf('body', body)];
  return { ...plan, warnings, records: null, request, target };
}

function tooLarge(what: string): Failed {
  return failed('too_large', `${what} has more than ${maxBytes} bytes`);
}

async function append(
  { topic }: AskRules,
  plan: AskedFor & { readonly records: readonly KeyedRecord[] },
  records: RecordsPort,
): Promise<Outcome> {
  try {
    await records.append(plan.records);
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    return {
      ...failed('topic', `${topic.name}: ${error.message}`, error.retriable ? 'backoff' : 'never'),
      ...(error.retriable ? { uncertain: true } : {}),
    };
  }
  return { status: 'done', output: plan.output };
}

function judge(
  { api, whose }: AskRules,
  params: AskParams,
  plan: AskedFor & { readonly request: HttpRequest },
  response: HttpResponse,
  now: number,
): Outcome {
  const subject = `${plan.request.method} ${new URL(plan.request.url).origin}`;
  const outcome = judgeHttp(response, { subject, now });
  if (outcome.status === 'failed') return outcome;
  const output = { ...plan.output, status_code: response.status };
  if (api.id === null) return { ...outcome, output };
  const answer = parseJson(response.body, { topLevel: 'any', bigIntegers: 'text' });
  const id = api.id
    .at(params)
    .map((pointer) => (answer.ok ? idText(atPointer(answer.value, pointer)) : null))
    .find((text) => text !== null);
  if (id === undefined || id === null)
    return notTheirs(response, subject, `the answers of ${whose}: it has no ${api.id.name}`);
  return { status: 'done', ref: id, output: { ...output, [api.id.name]: id } };
}
